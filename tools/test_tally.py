#!/usr/bin/env python3
"""Adds up what ./dev test ran and ends with the plain line `N passed, N failed[, N skipped]`; exit 1 when anything failed.

Usage: test_tally.py RESULTS_FOLDER [failed stage...]: the folder holds ctest's JUnit files. A failed stage is NAME|RESULT;
when RESULT.xml shows no failed test (a build that broke, a ctest that found nothing), the stage itself is one failure.
"""
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path


def tally(folder, stages):
    passed, failed, skipped, with_failures = 0, [], [], set()
    for path in sorted(Path(folder).glob("*.xml")):
        suite = ElementTree.parse(path).getroot()
        for case in suite.iter("testcase"):
            name, status = f"{path.stem}: {case.get('name')}", case.get("status")
            if case.find("failure") is not None or status == "fail":
                failed.append(name)
                with_failures.add(path.stem)
            elif case.find("skipped") is not None or status in ("notrun", "disabled"):
                skipped.append(name)
            else:
                passed += 1
    for stage in stages:
        name, _, result = stage.partition("|")
        if result not in with_failures:
            failed.append(name)
    return passed, failed, skipped


def main(arguments):
    passed, failed, skipped = tally(arguments[0], arguments[1:])
    print()
    for name in skipped:
        print(f"skipped  {name}")
    for name in failed:
        print(f"FAILED   {name}")
    if not passed and not failed:
        failed = ["no test was executed"]
    print(f"{passed} passed, {len(failed)} failed" + (f", {len(skipped)} skipped" if skipped else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
