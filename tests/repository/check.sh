#!/usr/bin/env bash
# check.sh CHECK [FOLDER]: the repository tests itself. Prints `file:line: what is wrong` and exits with 1.
# FOLDER is the repository unless given (check_test.sh gives it broken ones).
set -euo pipefail
export LC_ALL=C
rooms=(base io log version diff merge cdc sql engine consumer)  # each may include itself and those before it
lines_max=900

cd "${2:-$(dirname "$0")/../..}"
problems=0

# Our text files, those about to be committed included. Test data may hold anything.
files() {
  git ls-files -z --cached --others --exclude-standard -- "${@:-.}" ':!*package-lock.json' \
    ':!fuzz/corpus' ':!tests/*/data' | xargs -0 -r grep -IlsZ '' -- | tr '\0' '\n' || true
}
sources() { files '*.cc' '*.h'; }

report() {
  echo "$1"
  problems=$((problems + 1))
}

# Reports every line of our files that matches an extended pattern. Words in the patterns are broken up by [ ],
# so that this file does not report itself.
refuse() {
  local what=$1 pattern=$2 hit
  shift 2
  while IFS= read -r hit; do
    report "$(cut -d: -f1,2 <<<"$hit"): $what"
  done < <(files "$@" | xargs -r -d '\n' grep -nHE -e "$pattern" -- || true)
}

check_length() {
  local count file
  while read -r count file; do
    report "$file:$count: longer than $lines_max lines: split it"
  done < <(sources | xargs -r -d '\n' wc -l | awk -v max=$lines_max '$1 > max && $2 != "total"')
}

check_text() {
  refuse "unfinished work belongs in an issue" '\b(TOD[O]|FIXM[E]|XX[X]|HAC[K])\b'
  refuse "space at the end of a line" '[[:blank:]]+$'
  refuse "left over from a merge" '^(<<<<<<<|>>>>>>>)'
  refuse "tab" $'^ *\t' '*.cc' '*.h' '*.cmake' '*CMakeLists.txt' '*.sh' '*.md'
  local file
  while read -r file; do
    report "$file: no newline at the end"
  done < <(files | xargs -r -d '\n' perl -0777 -ne 'print "$ARGV\n" if !/\n\z/')
}

check_machine() {
  refuse "a path of somebody's machine" '(^|[^[:alnum:]_.])/(wor[k]|hom[e]|roo[t]|User[s])/'
  refuse "a package registry's host" 'registr[y]\.(npmjs|yarnpkg)\.'
  local lock
  while read -r lock; do
    report "$lock: names a registry host; npm reads the .npmrc only in its folder"
  done < <(git ls-files --cached --others --exclude-standard -- '*package-lock.json' |
    xargs -r -d '\n' grep -l '"resolved"' -- || true)
}

check_format() {
  local file
  command -v clang-format-14 >/dev/null || report "clang-format-14 is not installed: run scripts/bootstrap.sh format"
  while read -r file; do
    report "$file:1: not as clang-format-14 lays it out: run make format"
  done < <(sources | xargs -r -d '\n' clang-format-14 --dry-run 2>&1 | sed -n 's/:[0-9]*:[0-9]*: warning:.*//p' | sort -u)
}

# A room's sources include only itself and the rooms before it; nothing in the product includes tests or apps.
check_rooms() {
  local room allowed="" hit
  for room in "${rooms[@]}"; do
    allowed+="${allowed:+|}$room"
    while IFS= read -r hit; do
      report "$(cut -d: -f1,2 <<<"$hit"): src/$room must not include $(cut -d'"' -f2 <<<"$hit")"
    done < <(files "src/$room" | xargs -r -d '\n' grep -nHE '^ *# *include *"[^"]*/' -- |
      grep -vE "\"($allowed)/[^\"]*\"" | grep -vE '^[^:]*_test\.cc:[^"]*"testing/' || true)
  done
  for room in src/*/; do
    room=$(basename "$room")
    [[ " ${rooms[*]} " == *" $room "* ]] || report "src/$room: not in the list of rooms in tests/repository/check.sh"
  done
  refuse "the public headers include only each other" '^ *# *include *"' 'include/*'
}

# Headers are safe to include twice, and every source has a CMake list that may compile it: what no target compiles
# is never tested.
check_guards() {
  local file
  while read -r file; do
    report "$file:1: no #pragma once"
  done < <(files '*.h' | xargs -r -d '\n' grep -L '^#pragma once$' -- || true)
  while read -r file; do
    [ -f "${file%/*}/CMakeLists.txt" ] || report "$file:1: no CMakeLists.txt beside it"
  done < <(files '*.cc')
}

# Scripts run from a fresh clone, where only git's mode bit says so.
check_scripts() {
  local file
  while read -r file; do
    [ -x "$file" ] || report "$file:1: starts with #! but is not executable"
  done < <(files | xargs -r -d '\n' awk 'FNR == 1 { if (/^#!/) print FILENAME; nextfile }')
}

case "${1:-}" in
  length | text | machine | format | rooms | guards | scripts) "check_$1" ;;
  *) echo "usage: $0 length|text|machine|format|rooms|guards|scripts [FOLDER]" >&2; exit 2 ;;
esac
[ $problems = 0 ]
