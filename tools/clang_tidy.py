#!/usr/bin/env python3
"""Runs clang-tidy over the sources of a configured build folder: tools/clang_tidy.py FOLDER [JOBS] [--deep] [PATH_PART…].

Tests and generated code are left out: they are held by the compilers' warnings. --deep adds the static analyzer, which takes
three times as long. A source found good is looked at again only when its text, that of anything it includes, or the checks have
changed: the stamps lie in FOLDER/tidy.
"""
import concurrent.futures
import hashlib
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

TIDY = "clang-tidy-19"
ROOT = Path(__file__).resolve().parents[1]
LEFT_OUT = ("_test.cpp", "_bench.cpp")


def preprocessed(entry):
    """What the compiler sees of one source: the key of its stamp. Nothing for one that does not compile."""
    words = shlex.split(entry["command"])
    at = words.index("-o")
    words[at:at + 2] = ["-E", "-P"]
    words.remove("-c")
    return subprocess.run(words, cwd=entry["directory"], capture_output=True).stdout


def look_at(entry, folder, options):
    """(source, what clang-tidy finds or "")."""
    key = hashlib.sha256(preprocessed(entry) + (ROOT / ".clang-tidy").read_bytes() + repr(options).encode()).hexdigest()
    stamp = folder / "tidy" / key
    source = Path(entry["file"]).relative_to(ROOT)
    if stamp.exists():
        return source, ""
    done = subprocess.run([TIDY, "--quiet", "-p", folder, *options, entry["file"]], capture_output=True, text=True)
    if done.returncode == 0:
        stamp.touch()
        return source, ""
    return source, done.stdout or done.stderr


def main():
    arguments = [a for a in sys.argv[1:] if a != "--deep"]
    folder, jobs = Path(arguments[0]).resolve(), int(arguments[1]) if len(arguments) > 1 else os.cpu_count()
    parts = arguments[2:] or [""]
    options = [] if "--deep" in sys.argv else ["--checks=-clang-analyzer-*"]
    (folder / "tidy").mkdir(exist_ok=True)
    sources = [e for e in json.loads((folder / "compile_commands.json").read_text())
               if e["file"].startswith(f"{ROOT}/src/") and not e["file"].endswith(LEFT_OUT)]
    entries = [e for e in sources if any(p in e["file"] for p in parts)]
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for source, findings in pool.map(lambda e: look_at(e, folder, options), sorted(entries, key=lambda e: e["file"])):
            if findings:
                bad += 1
                print(f"== {source}\n{findings}", flush=True)
    print(f"{TIDY}: {len(entries)} sources, {bad} with findings")
    sys.exit(1 if bad else 0)


main()
