#!/usr/bin/env bash
# Writes the lock files: names, versions and hashes, never an address.
# One universal resolution serves every supported Python and platform.
#
#   make lock              keep the locked versions that still fit
#   make lock UPGRADE=1    take the newest that fit
set -euo pipefail
cd "$(dirname "$0")/.."

uv="${UV:?set UV to the path of the uv program}"
flags=(pip compile --quiet --universal --python-version 3.11 --generate-hashes
       --no-header --no-annotate --no-emit-index-url --no-emit-find-links)
if [[ -n "${UPGRADE:-}" ]]; then flags+=(--upgrade); fi

"$uv" "${flags[@]}" pyproject.toml --extra server --extra build -o requirements.lock
"$uv" "${flags[@]}" pyproject.toml --extra dev -c requirements.lock -o requirements-dev.lock
echo "hatchet-sdk==1.43.1" | "$uv" "${flags[@]}" - -o requirements-official.lock
echo "hatchet-sdk==1.22.16" | "$uv" "${flags[@]}" - -o requirements-official-old.lock
"$uv" "${flags[@]}" benchmarks/requirements-peers.in -o benchmarks/requirements-peers.lock

if grep -nE '://|^-|file:|^ *(/|\.\.?/)' requirements*.lock benchmarks/*.lock; then
    echo "error: the lock files above must hold names, versions and hashes only" >&2
    exit 1
fi
