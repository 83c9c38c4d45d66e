#!/usr/bin/env bash
# Builds and runs the benchmarks; prints their tables and leaves the numbers in build/bench/*.json.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/build.sh release dosql_engine_bench --quiet
mkdir -p build/bench
exec build/release/dosql_engine_bench --json build/bench/engine.json "$@"
