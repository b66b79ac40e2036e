#!/usr/bin/env bash
# Installs the packages of the named groups of tools/packages.txt that are missing, and nothing else.
#   tools/setup.sh build test    asks dpkg first: with everything there it takes milliseconds and needs no rights.
# Works as root or through sudo. Services that a package would start (mosquitto) are not: they would take our ports.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
groups=("$@")
[ ${#groups[@]} -gt 0 ] || groups=(build run test lint)

wanted=$(awk -v groups="${groups[*]}" '
  BEGIN { n = split(groups, g, " ") }
  /^#/ || NF == 0 { next }
  { for (i = 2; i <= NF; ++i) for (j = 1; j <= n; ++j) if ($i == g[j] && !seen[$1]++) print $1 }' "$here/packages.txt")

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
  echo "setup: not a Debian system. millrace is built and tested on Debian 12; install what corresponds to:" >&2
  echo "  $(echo $wanted)" >&2
  exit 1
fi

present=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $wanted 2>/dev/null |
  awk '$2 == "installed" { print $1 }' || true)
missing=$(comm -23 <(sort -u <<<"$wanted") <(sort -u <<<"$present") | sed '/^$/d')
[ -n "$missing" ] || exit 0

root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "setup: packages are missing and you are neither root nor have sudo. Ask for:" >&2
    echo "  apt-get install --no-install-recommends $(echo $missing)" >&2
    exit 1
  fi
  root=(sudo)
fi

echo "setup: installing $(echo $missing)"
log=$(mktemp)
policy=/usr/sbin/policy-rc.d
made_policy=no
finish() {
  [ "$made_policy" = no ] || "${root[@]}" rm -f "$policy"
  rm -f "$log"
}
trap finish EXIT
if [ ! -e "$policy" ]; then
  made_policy=yes
  printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee "$policy" >/dev/null
  "${root[@]}" chmod 755 "$policy"
fi
apt=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
if ! { "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends $missing; } >"$log" 2>&1 </dev/null; then
  tail -n 25 "$log" >&2
  echo "setup: apt-get failed; the list is tools/packages.txt (Debian 12)" >&2
  exit 1
fi
