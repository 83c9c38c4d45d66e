#!/usr/bin/env bash
# The closing line of `make test` is only worth what scripts/count_results.sh sees: reports of every kind, and the
# counts they must give.
set -euo pipefail
count=$(cd "$(dirname "$0")/../.." && pwd)/scripts/count_results.sh
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failures=0

# expect COUNTS WHAT: the run in $folder gives COUNTS.
expect() {
  local got
  got=$("$count" "$folder")
  [ "$got" = "$1" ] || { echo "$2: counted '$got', not '$1'"; failures=$((failures + 1)); }
  rm -f "$folder"/*
}
# ran NAME STATUS...: what ctest reports.
ran() {
  {
    echo '<?xml version="1.0" encoding="UTF-8"?>'
    echo '<testsuite name="Linux-g++" tests="2" failures="0" disabled="0" skipped="0">'
    while [ $# -gt 0 ]; do
      printf '\t<testcase name="%s" classname="%s" time="0.02" status="%s">\n' "$1" "$1" "$2"
      printf '\t\t<system-out>&lt;testcase name="not one" status="fail"&gt;</system-out>\n\t</testcase>\n'
      shift 2
    done
    echo '</testsuite>'
  } >"$folder/ctest.junit"
}
# report NAME TESTS FAILURES: what a GoogleTest program reports.
report() {
  cat >"$folder/$1.xml" <<END
<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="$2" failures="$3" disabled="0" errors="0" time="0.01" timestamp="2026-01-01" name="AllTests">
  <testsuite name="A" tests="$2" failures="$3" disabled="0" skipped="0" errors="0" time="0">
    <testcase name="B" status="run" result="completed" time="0" classname="A" />
END
}

ran a run b run; report a 5 0; report b 7 0
expect '12 0' 'two programs that pass'
ran a fail b run; report a 5 2; report b 7 0
expect '10 2' 'two cases that fail'
ran a fail b run; report b 7 0
expect '7 1' 'a program that died before it could report'
ran a fail; report a 5 0
expect '5 1' 'a program that leaks: its cases pass, it does not'
ran a fail; : >"$folder/a.xml"
expect '0 1' 'a program that died while it wrote its report'
ran script run; expect '1 0' 'a script that passes'
ran script fail; expect '0 1' 'a script that fails'
ran script notrun; expect '0 1' 'a program that could not be started'
ran a run; report a 5 0
printf '    <testcase name="C" status="run" result="skipped" time="0" classname="A">\n' >>"$folder/a.xml"
printf '    <testcase name="D" status="notrun" result="suppressed" time="0" classname="A" />\n' >>"$folder/a.xml"
expect '3 0' 'one case skipped and one disabled'

# node_report NAME FAILURES: what Node's tests report, two of them, with one more skipped.
node_report() {
  {
    echo '<?xml version="1.0" encoding="utf-8"?>'
    echo '<testsuites>'
    printf '\t<testcase name="one &lt;testcase" time="0.01" classname="test"/>\n'
    printf '\t<testcase name="two" time="0.01" classname="test"%s>\n' "$([ "$2" = 0 ] && echo /)"
    [ "$2" = 0 ] || printf '\t\t<failure type="testCodeFailure" message="m">\n</failure>\n\t</testcase>\n'
    printf '\t<testcase name="three" time="0.01" classname="test">\n'
    printf '\t\t<skipped type="skipped" message="true"/>\n\t</testcase>\n'
    echo '</testsuites>'
  } >"$folder/$1.xml"
}
ran a run b run; node_report a 0; report b 7 0
expect '9 0' 'tests of Node that pass'
ran a fail; node_report a 1
expect '1 1' 'one test of Node that fails'
ran a fail; node_report a 0
expect '2 1' 'a file of Node tests that fails outside of them'

if "$count" "$folder" 2>/dev/null; then
  echo "no report at all is not a success"
  failures=$((failures + 1))
fi
[ $failures = 0 ]
