#!/usr/bin/env bash
# fuzz.sh TARGET SEEDS WORK INPUTS: replays the seeds, then fuzzes on from them for DOSQL_FUZZ_SECONDS; without it
# for that many inputs, which one seed makes the same on every machine.
# What libFuzzer learns goes to WORK, and an input that fails is left there.
set -euo pipefail
target=$1 seeds=$2 work=$3 inputs=$4
mkdir -p "$work/corpus"
[ -d "$seeds" ] || seeds=
if [ -n "${DOSQL_FUZZ_SECONDS:-}" ]; then
  length=-max_total_time=$DOSQL_FUZZ_SECONDS
else
  length=-runs=$inputs
  # What an earlier run has learnt would make this one another.
  find "$work/corpus" -type f -delete
fi
# -rss_limit_mb counts the sanitizer's own memory too; -timeout finds inputs that take for ever.
exec "$target" "$length" -seed="${DOSQL_SEED:-1}" -timeout=20 -rss_limit_mb=3000 \
  -print_final_stats=0 -artifact_prefix="$work/" "$work/corpus" ${seeds:+"$seeds"}
