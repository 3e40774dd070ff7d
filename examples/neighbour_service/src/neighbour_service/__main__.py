"""`python -m neighbour_service`."""

from neighbour_service.cli import main

main()
