#!/usr/bin/env bash
# Gives check.sh repositories that are wrong in one way each: a check that finds nothing there checks nothing.
set -euo pipefail
check=$(cd "$(dirname "$0")" && pwd)/check.sh
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failures=0

fresh() {
  rm -rf "$folder/repo"
  mkdir -p "$folder/repo/src/base" "$folder/repo/src/io" "$folder/repo/include/dosql"
  cd "$folder/repo"
  git init -q .
  cp "$(dirname "$check")/../../.clang-format" .
  touch src/base/CMakeLists.txt src/io/CMakeLists.txt
  printf '#pragma once\n' >src/base/ids.h
  printf '#include "base/ids.h"\n' >src/io/file.cc
  printf '#include "io/file.h"\n#include "testing/disk.h"\n' >src/io/file_test.cc
}

# finds CHECK TEXT: the check fails and prints TEXT.
finds() {
  local output
  if output=$("$check" "$1" "$folder/repo"); then
    echo "check $1 found nothing where it should say: $2"
    failures=$((failures + 1))
  elif [[ $output != *"$2"* ]]; then
    echo "check $1 should say: $2; it said: $output"
    failures=$((failures + 1))
  fi
}

for name in length text machine format rooms guards scripts; do
  fresh
  "$check" "$name" "$folder/repo" || { echo "check $name complains about nothing"; failures=$((failures + 1)); }
done

fresh; for i in $(seq 901); do echo "// $i"; done >src/base/long.cc
finds length 'src/base/long.cc:901: longer'
fresh; printf '\n// TOD%s: later\n' O >src/base/a.cc
finds text 'src/base/a.cc:2: unfinished'
fresh; printf 'int a; \n' >src/base/a.cc
finds text 'src/base/a.cc:1: space'
fresh; printf '\tint a;\n' >src/base/a.cc
finds text 'src/base/a.cc:1: tab'
fresh; printf 'int a;' >src/base/a.cc
finds text 'src/base/a.cc: no newline'
fresh; printf '>>>>>>> theirs\n' >README.md
finds text 'README.md:1: left over'
fresh; printf 'cd /hom%s/someone\n' e >run.sh
finds machine 'run.sh:1: a path'
fresh; printf 'see registr%s.npmjs.org\n' y >README.md
finds machine 'README.md:1: a package'
fresh; mkdir third_party; printf '{ "resolved": "x" }\n' >third_party/package-lock.json
finds machine 'third_party/package-lock.json'
fresh; printf 'int   a;\n' >src/base/a.cc
finds format 'src/base/a.cc:1: not as'
fresh; printf '#include "io/file.h"\n' >src/base/a.cc
finds rooms 'src/base/a.cc:1: src/base must not include io/file.h'
fresh; printf '#include "testing/disk.h"\n' >src/io/a.cc
finds rooms 'src/io/a.cc:1: src/io must not include testing/disk.h'
fresh; mkdir src/attic; touch src/attic/CMakeLists.txt
finds rooms 'src/attic: not in the list'
fresh; printf '#include "base/ids.h"\n' >include/dosql/a.h
finds rooms 'include/dosql/a.h:1: the public'
fresh; printf 'int a();\n' >src/base/a.h
finds guards 'src/base/a.h:1: no #pragma once'
fresh; mkdir attic; printf 'int a;\n' >attic/a.cc
finds guards 'attic/a.cc:1: no CMakeLists.txt'
fresh; printf '#!/bin/sh\n' >run.sh
finds scripts 'run.sh:1: starts with #!'

[ $failures = 0 ]
