"""`python -m wsdhq`: the command line."""

from wsdhq.cli import main

main()
