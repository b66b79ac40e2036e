#!/usr/bin/env bash
# Formats the C++ sources with the pinned clang-format, or says which files differ (exit 1).
#   tools/check_format.sh          names the files that `./dev fmt` would change
#   tools/check_format.sh --fix    changes them
# Exit 77 (ctest: skipped) when clang-format-19 is not installed: another version formats differently.
set -uo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
mode=check
[ "${1:-}" = --fix ] && mode=fix && shift
[ -z "${1:-}" ] || root=$1
if ! command -v clang-format-19 >/dev/null; then
  echo "format: clang-format-19 is not installed (./dev setup lint)"
  exit 77
fi
cd "$root" || exit 1
mapfile -t files < <(find src tests bench cmake \( -name '*.h' -o -name '*.cpp' \) 2>/dev/null | sort)
[ ${#files[@]} -gt 0 ] || { echo "format: no files"; exit 0; }

if [ $mode = fix ]; then
  printf '%s\0' "${files[@]}" | xargs -0 -n 20 -P "$(nproc)" clang-format-19 -i
  exit
fi
wrong=$(printf '%s\0' "${files[@]}" | xargs -0 -n 20 -P "$(nproc)" clang-format-19 --dry-run 2>&1 |
  sed -n 's/^\([^:]*\):[0-9]*:[0-9]*: warning: .*/\1/p' | sort -u)
if [ -n "$wrong" ]; then
  echo "$wrong"
  echo "format: $(wc -l <<<"$wrong") of ${#files[@]} files; ./dev fmt mends them"
  exit 1
fi
echo "format: ${#files[@]} files"
