#!/usr/bin/env bash
# Runs clang-tidy-19 over the sources of a configured build folder: tools/clang_tidy.sh BUILD_FOLDER [JOBS] [path pattern].
# Tests and generated code are left out: they are held by the compilers' warnings.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$1 jobs=${2:-$(nproc)} pattern=${3:-src/}
find src -name '*.cpp' ! -name '*_test.cpp' ! -name '*_bench.cpp' -path "*$pattern*" -print0 | sort -z |
  xargs -0 -n 1 -P "$jobs" clang-tidy-19 --quiet -p "$folder"
