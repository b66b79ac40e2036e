#!/usr/bin/env python3
"""Every normative statement that docs/mqtt-conformance.md lists has exactly one case in tests/mqtt/statements, and the other way
round; a case that names a unit test names one that exists, and no other statement of that version names it."""
import re
import sys
from pathlib import Path

ROOT = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "scenarios"))
from _packet_script import read  # noqa: E402

OF_CLIENTS = "of clients"
VERSIONS = {"5": 5, "3": 4}


def listed(page):
    """{'5:3.1.0-1', …} of the page's table; what only clients must do is not tested."""
    found = set()
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) < 3 or not re.search(r"\d\.\d+-\d", cells[1] + cells[2]) or cells[0].startswith(OF_CLIENTS):
            continue
        for version, cell in zip("53", cells[1:3]):
            found |= {f"{version}:{number}" for number in re.findall(r"\d+(?:\.\d+)+-\d+", cell)}
    return found


def main():
    problems, owner, named = [], {}, {}
    sources = [path for folder in ("mqtt", "net") for path in (ROOT / "src" / folder).rglob("*_test.cpp")]
    tests = {f"{suite}.{name}" for path in sources
             for suite, name in re.findall(r"^TEST(?:_F|_P)?\((\w+), (\w+)\)", path.read_text(encoding="utf-8"), re.M)}
    for path in sorted((ROOT / "tests" / "mqtt" / "statements").glob("*.txt")):
        for case in read(path):
            where = f"{path.relative_to(ROOT)}:{case.number}"
            for version, level in VERSIONS.items():
                for number in case.ids[level]:
                    one = f"{version}:{number}"
                    if one in owner:
                        problems.append(f"{where}: {one} has a case already ({owner[one]}): one of its own for each statement")
                    owner[one] = where
                if len(case.ids[level]) > 1:
                    problems.append(f"{where}: {len(case.ids[level])} statements of one version: make a case for each")
            if not case.steps and not case.elsewhere:
                problems.append(f"{where}: no steps, and no by:Suite.Case")
            for test in case.elsewhere:
                if test not in tests:
                    problems.append(f"{where}: there is no TEST({test.replace('.', ', ')})")
                if test in named:
                    problems.append(f"{where}: {test} shows another statement already ({named[test]})")
                named[test] = where
    page = listed((ROOT / "docs" / "mqtt-conformance.md").read_text(encoding="utf-8"))
    problems += [f"docs/mqtt-conformance.md: {one} has no case in tests/mqtt/statements" for one in sorted(page - set(owner))]
    problems += [f"{owner[one]}: {one} does not stand in docs/mqtt-conformance.md" for one in sorted(set(owner) - page)]
    for problem in problems:
        print(problem)
    print(f"{len(owner)} statements, {len(problems)} problems")
    return bool(problems)


sys.exit(main())
