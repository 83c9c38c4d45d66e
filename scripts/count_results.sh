#!/usr/bin/env bash
# count_results.sh FOLDER: prints `PASSED FAILED` for a ctest run that left FOLDER/ctest.junit and, for each
# GoogleTest program and each file of Node's tests, FOLDER/NAME.xml.
#
# Counted are GoogleTest cases, Node's tests, and whole programs where they are something else (fuzz targets, scripts). A
# program that dies, or fails outside of its cases (a leak, say), counts as one failure more. Skipped cases do
# not count.
set -euo pipefail
folder=$1
passed=0
failed=0

# attribute NAME LINE: the value of an XML attribute.
attribute() { sed -n "s/.* $1=\"\([^\"]*\)\".*/\1/p" <<<"$2"; }

# count_entry NAME STATUS: STATUS is what ctest saw of the whole program: run, fail, ...
count_entry() {
  local report=$folder/$1.xml cases=0 skipped=0 failures=0 head=
  [ -f "$report" ] && head=$(grep -m1 '<testsuites[ >]' "$report" || true)
  if [[ $head == *'<testsuites>'* ]]; then  # Node's: it counts nothing
    cases=$(grep -c '<testcase ' "$report" || true)
    failures=$(grep -c '<failure ' "$report" || true)
    skipped=$(grep -c '<skipped ' "$report" || true)
  elif [ -n "$head" ]; then
    cases=$(attribute tests "$head")
    failures=$(($(attribute failures "$head") + $(attribute errors "$head")))
    skipped=$(grep -cE '<testcase .* (result="skipped"|status="notrun")' "$report" || true)
  elif [ "$2" = run ]; then
    cases=1
  fi
  if [ "$2" != run ] && [ "$failures" = 0 ]; then
    failures=1
    cases=$((cases + 1))
  fi
  passed=$((passed + cases - skipped - failures))
  failed=$((failed + failures))
}

entries=$(grep -E '^[[:space:]]*<testcase ' "$folder/ctest.junit")  # none at all is a failure
while read -r entry; do
  count_entry "$(attribute name "$entry")" "$(attribute status "$entry")"
done <<<"$entries"
echo "$passed $failed"
