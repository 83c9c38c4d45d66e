#!/usr/bin/env bash
# build.sh PRESET [TARGET...]: configures build/PRESET when needed and builds all of it, or the targets.
set -euo pipefail
cd "$(dirname "$0")/.."
preset=$1
shift
[ -f "build/$preset/build.ninja" ] || cmake --preset "$preset" >/dev/null
exec cmake --build "build/$preset" -- "$@"
