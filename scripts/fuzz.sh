#!/usr/bin/env bash
# fuzz.sh TARGET SEEDS WORK: replays the seeds, then fuzzes on from them for DOSQL_FUZZ_SECONDS (default 5).
# What libFuzzer learns goes to WORK, and an input that fails is left there.
set -euo pipefail
target=$1 seeds=$2 work=$3
mkdir -p "$work/corpus"
[ -d "$seeds" ] || seeds=
# -rss_limit_mb counts the sanitizer's own memory too; -timeout finds inputs that take for ever.
exec "$target" -max_total_time="${DOSQL_FUZZ_SECONDS:-5}" -seed="${DOSQL_SEED:-1}" -timeout=20 -rss_limit_mb=3000 \
  -print_final_stats=0 -artifact_prefix="$work/" "$work/corpus" ${seeds:+"$seeds"}
