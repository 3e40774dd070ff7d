#!/usr/bin/env bash
# Writes the versions and hashes of what CI installs: bash .github/lock_requirements.sh
# From the lists .github/requirements/*.in and the versions of constraints.txt, by pip-compile of
# pip-tools, which must be installed. All files of a version are listed, for every system.
set -euo pipefail
cd "$(dirname "$0")/requirements"
for list in *.in; do
    pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-emit-index-url \
        --no-header --no-annotate --constraint ../../constraints.txt "$list" -o "${list%.in}.txt"
done
