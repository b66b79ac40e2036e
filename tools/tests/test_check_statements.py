#!/usr/bin/env python3
"""check_statements.py finds a statement without a case, a shared case, a case of no statement and a named test that is
not there."""
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TOOLS = Path(__file__).resolve().parents[1]
PAGE = ("| subject | 5.0 | 3.1.1 | code |\n|---|---|---|---|\n"
        "| x | 1.1.1-1, 1.1.1-2 | 2.2-1 | - |\n| of clients: none | 9.9.9-9 | - | - |\n")
CASES = "== 5:1.1.1-1 3:2.2-1 | both\na join\n== 5:1.1.1-2 by:Suite.Case | elsewhere\n"


def run(page=PAGE, cases=CASES, test="TEST(Suite, Case) {}\n"):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in ("docs", "tests/mqtt/statements", "tests/scenarios", "src/mqtt", "src/net"):
            (root / name).mkdir(parents=True)
        (root / "docs/mqtt-conformance.md").write_text(page)
        (root / "tests/mqtt/statements/all.txt").write_text(cases)
        (root / "src/mqtt/a_test.cpp").write_text(test)
        for name in ("_packets.py", "_packet_script.py"):
            shutil.copy(TOOLS.parent / "tests/scenarios" / name, root / "tests/scenarios")
        done = subprocess.run([sys.executable, "-B", TOOLS / "check_statements.py", folder], capture_output=True, text=True)
        return done.returncode, done.stdout


def expect(fault, **changes):
    status, said = run(**changes)
    assert (status == 0) == (fault is None) and (fault or "") in said, said


expect(None)
expect("5:1.1.1-3 has no case", page=PAGE.replace("1.1.1-2", "1.1.1-2, 1.1.1-3"))
expect("5:1.1.1-1 has a case already", cases=CASES + "== 5:1.1.1-1 | again\na join\n")
expect("2 statements of one version", cases=CASES.replace("5:1.1.1-1", "5:1.1.1-1 5:1.1.1-2"))
expect("does not stand in", cases=CASES + "== 3:7.7-7 | unknown\na join\n")
expect("there is no TEST(Suite, Case)", test="")
expect("shows another statement already", cases=CASES.replace("| both", "by:Suite.Case | both"))
expect("no steps", cases=CASES.replace("by:Suite.Case ", ""))
print("ok")
