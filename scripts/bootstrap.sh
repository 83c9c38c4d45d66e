#!/usr/bin/env bash
# bootstrap.sh [build|test|format|tidy]: makes a Debian 12 machine able to build DoSQL (default), to run all its
# tests, to format it, or to run clang-tidy. Installs only what is missing, and says nothing when nothing is.
# Needs root or sudo only when there is something to install.
set -euo pipefail
cd "$(dirname "$0")/.."

build_packages=(g++ cmake ninja-build ccache libfmt-dev libxxhash-dev libedit-dev
  libgtest-dev libgmock-dev sqlite3)
format_packages=(git clang-format-14)
# llvm-22 has the symbolizer: without it a sanitizer's report names no lines.
test_packages=(clang-22 libclang-rt-22-dev llvm-22)

packages=()
case "${1:-build}" in
  build) packages=("${build_packages[@]}") ;;
  test) packages=("${build_packages[@]}" "${format_packages[@]}" "${test_packages[@]}") ;;
  format) packages=("${format_packages[@]}") ;;
  tidy) packages=("${build_packages[@]}" "${test_packages[@]}" clang-tidy-22) ;;
  *) echo "usage: $0 [build|test|format|tidy]" >&2; exit 2 ;;
esac
if [ "${1:-build}" != format ]; then
  # A machine may have a Node that is not Debian's; installing Debian's npm beside it fails.
  command -v node >/dev/null || packages+=(nodejs)
  command -v npm >/dev/null || packages+=(npm ca-certificates)
fi

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    echo "cannot install ${missing[*]}: neither root nor sudo" >&2
    exit 1
  fi
}

installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "${packages[@]}" 2>/dev/null || true)
missing=()
for package in "${packages[@]}"; do
  grep -qx "installed $package" <<<"$installed" || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "bootstrap: installing ${missing[*]}"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq -o Dpkg::Use-Pty=0 --no-install-recommends \
    "${missing[@]}" >/dev/null
fi

# The copy of the lock file inside node_modules tells what is installed there.
fetch_packages() {
  ! cmp -s "$1/package-lock.json" "$1/node_modules/.dosql-lock" || return 0
  echo "bootstrap: fetching the packages pinned in $1/package-lock.json"
  npm ci --prefix "$1" --ignore-scripts --loglevel=error >/dev/null
  cp "$1/package-lock.json" "$1/node_modules/.dosql-lock"
}
if [ "${1:-build}" != format ]; then
  fetch_packages third_party
  fetch_packages packages/dosql
fi
