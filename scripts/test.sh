#!/usr/bin/env bash
# test.sh PRESET...: builds each preset and runs its tests, then prints one line over all of them,
# `N passed, N failed`, and exits with 1 when anything failed.
#
# Counted are GoogleTest cases, and whole programs where they are something else (fuzz targets, scripts). A
# program that dies, or fails outside of its cases (a leak), counts as one failure, and so does a preset that
# does not build. Skipped cases are not counted.
#
# Environment: DOSQL_SOAK=1 includes the tests labelled `soak`; DOSQL_TEST_SCALE overrides how much of the random
# tests' full counts is run (release and dev: 1, sanitizers: 0.1). JOBS: tests at a time, default one per core.
set -uo pipefail
cd "$(dirname "$0")/.."

passed=0
failed=0

# attribute NAME LINE: the value of an XML attribute.
attribute() { sed -n "s/.* $1=\"\([^\"]*\)\".*/\1/p" <<<"$2"; }

# Adds up one ctest entry: its name and whether ctest saw it succeed, and the report GoogleTest left, if any.
count_entry() {
  local name=$1 ok=$2 report=$3/$1.xml cases=0 skipped=0 failures=0 head
  if [ -f "$report" ]; then
    head=$(grep -m1 '<testsuites ' "$report")
    cases=$(attribute tests "$head")
    failures=$(($(attribute failures "$head") + $(attribute errors "$head")))
    skipped=$(grep -c '<testcase .* result="skipped"\|<testcase .* status="notrun"' "$report")
  elif $ok; then
    cases=1
  fi
  if ! $ok && [ "$failures" = 0 ]; then
    failures=1
    cases=$((cases + 1))
  fi
  passed=$((passed + cases - skipped - failures))
  failed=$((failed + failures))
}

run_preset() {
  local preset=$1 folder=build/$1 scale=1 entry name ok
  local selection=(--label-exclude soak)
  [ "${DOSQL_SOAK:-0}" = 1 ] && selection=()
  case "$preset" in san | tsan) scale=0.1 ;; esac

  echo "== $preset: build"
  if ! scripts/build.sh "$preset" --quiet; then
    echo "== $preset: does not build"
    failed=$((failed + 1))
    return
  fi
  echo "== $preset: test"
  rm -rf "$folder/results"
  mkdir -p "$folder/results"
  DOSQL_TEST_SCALE=${DOSQL_TEST_SCALE:-$scale} \
    ASAN_SYMBOLIZER_PATH=${symbolizer} TSAN_OPTIONS="external_symbolizer_path=${symbolizer} ${TSAN_OPTIONS:-}" \
    UBSAN_OPTIONS="print_stacktrace=1 ${UBSAN_OPTIONS:-}" \
    ctest --test-dir "$folder" --output-on-failure --no-tests=error -j "${JOBS:-$(nproc)}" "${selection[@]}" \
    --output-junit results/ctest.junit </dev/null | grep -v '^Internal ctest\|^$'
  if [ ! -f "$folder/results/ctest.junit" ]; then
    echo "== $preset: ctest left no report"
    failed=$((failed + 1))
    return
  fi
  while read -r entry; do
    name=$(attribute name "$entry")
    ok=false
    [ "$(attribute status "$entry")" = run ] && ok=true
    count_entry "$name" $ok "$folder/results"
  done < <(grep '<testcase ' "$folder/results/ctest.junit")
}

symbolizer=$(command -v llvm-symbolizer-22 || command -v llvm-symbolizer || true)
for preset in "$@"; do run_preset "$preset"; done

echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
