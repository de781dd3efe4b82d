#!/usr/bin/env bash
# Azurite, Microsoft's emulator of Azure's blobs, for the tests, which start it themselves. Some 370 packages that nothing
# else needs, so it is no dependency of this package. 3.35 is the last that says it runs on Node 20.
#   azurite.sh install DIR    installs it below DIR, and prints the variable that the tests want set
set -euo pipefail
verb=${1:-} dir=${2:-}
if [[ "$verb" != install || -z "$dir" ]]; then
  sed -n '2,4p' "$0" >&2
  exit 2
fi
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
npm install --no-audit --no-fund --no-save --ignore-scripts --prefix "$dir" azurite@3.35.0 >&2
printf 'SPIRAL_TEST_AZURITE=%s\n' "$dir"
