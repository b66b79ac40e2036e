#!/usr/bin/env bash
# tools/build_commit.sh OUT: writes the commit being built as a C++ header, and leaves OUT alone when it says so
# already. From an archive without git the name is empty.
set -euo pipefail
cd "$(dirname "$0")/.."
commit=$(git describe --always --dirty --abbrev=12 --exclude='*' 2>/dev/null || true)
text="// Made by tools/build_commit.sh.
#define MILLRACE_COMMIT \"$commit\""
[ -f "$1" ] && [ "$(cat "$1")" = "$text" ] || printf '%s\n' "$text" >"$1"
