#!/usr/bin/env bash
# Runs one libFuzzer binary for MILLRACE_FUZZ_SECONDS (20) over a scratch copy of its recorded inputs, tests/corpus/<name>.
# The seed is the same every time, so that what passed passes again; MILLRACE_FUZZ_SEED=0 (./dev fuzz) draws another one.
# What it finds is left in build/fuzz/found/<name>-*; to mend a finding, put the file into tests/corpus/<name>: the replay
# runs it in every build from then on.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
binary=$1
name=$(basename "$binary")
seconds=${MILLRACE_FUZZ_SECONDS:-20}
seed=${MILLRACE_FUZZ_SEED:-1}
found=$root/build/fuzz/found
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$found" "$scratch/new"
recorded=()
[ ! -d "$root/tests/corpus/$name" ] || recorded=("$root/tests/corpus/$name")
if ! "$binary" -max_total_time="$seconds" -seed="$seed" -timeout=10 -rss_limit_mb=2048 -max_len=16384 -print_final_stats=1 \
  -artifact_prefix="$found/$name-" "$scratch/new" "${recorded[@]}" >"$scratch/log" 2>&1; then
  tail -n 60 "$scratch/log"
  exit 1
fi
echo "$name: $(sed -n 's/^stat::number_of_executed_units: //p' "$scratch/log") inputs in $seconds s"
