#!/usr/bin/env bash
# test.sh PRESET...: builds each preset and runs its tests, then prints one line over all of them,
# `N passed, N failed` (scripts/count_results.sh says what is counted), and exits with 1 when anything failed. A
# preset that does not build counts as one failure.
#
# Environment: DOSQL_SOAK=1 includes the tests labelled `soak`; DOSQL_TEST_SCALE overrides how much of the random
# tests' full counts is run (release and dev: 1, sanitizers: 0.1). JOBS: tests at a time, default one per core.
set -uo pipefail
cd "$(dirname "$0")/.."

passed=0
failed=0
symbolizer=$(command -v llvm-symbolizer-22 || command -v llvm-symbolizer || true)

run_preset() {
  local preset=$1 results=build/$1/results scale=1 counts
  local excluded=()
  [ "${DOSQL_SOAK:-0}" = 1 ] || excluded+=(soak)
  case "$preset" in san | tsan) scale=0.1 ;; esac
  local selection=() targets=()
  [ ${#excluded[@]} = 0 ] || selection=(--label-exclude "$(IFS='|' && echo "${excluded[*]}")")
  # Only for a test that is labelled soak.
  [ "$preset" != san ] || [ "${DOSQL_SOAK:-0}" != 1 ] || targets=(all dosql_fuzz_package)
  # Where there is one thread, ThreadSanitizer finds nothing, slowly.
  if [ "$preset" = tsan ]; then
    targets=(threaded_tests)
    selection+=(--label-regex threads)
  fi

  echo "== $preset: build"
  if ! scripts/build.sh "$preset" "${targets[@]}" --quiet; then
    echo "== $preset: does not build"
    failed=$((failed + 1))
    return
  fi
  echo "== $preset: test"
  rm -rf "$results"
  mkdir -p "$results"
  DOSQL_TEST_SCALE=${DOSQL_TEST_SCALE:-$scale} \
    ASAN_SYMBOLIZER_PATH=$symbolizer \
    TSAN_OPTIONS="external_symbolizer_path=$symbolizer ${TSAN_OPTIONS:-}" \
    UBSAN_OPTIONS="print_stacktrace=1 ${UBSAN_OPTIONS:-}" \
    ctest --test-dir "build/$preset" --output-on-failure --no-tests=error -j "${JOBS:-$(nproc)}" \
    "${selection[@]}" --output-junit results/ctest.junit </dev/null | grep -vE '^Internal ctest|^ +Start |^$'
  [ ! -f "$results/spec_blocks.table" ] || cat "$results/spec_blocks.table"
  if ! counts=$(scripts/count_results.sh "$results"); then
    echo "== $preset: ctest left no report"
    failed=$((failed + 1))
    return
  fi
  passed=$((passed + ${counts% *}))
  failed=$((failed + ${counts#* }))
}

for preset in "$@"; do run_preset "$preset"; done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
