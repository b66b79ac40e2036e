#!/usr/bin/env python3
"""Eclipse Paho's interoperability suites for MQTT 3.1.1 and 5, unmodified, against a server with paho_profile.yaml.

PAHO_MQTT_TESTING names a checkout of eclipse/paho.mqtt.testing; without it one is cloned into the scratch folder.
"""
# timeout: 900
import os
import re
import subprocess
import sys
from pathlib import Path

from _broker import _server

SOURCE = "https://github.com/eclipse/paho.mqtt.testing"
PROFILE = Path(__file__).with_name("paho_profile.yaml").read_text(encoding="utf-8")
# The script parses its own options and then lets unittest parse them again; will_message_test has a name that unittest does
# not collect.
RUN = """
import runpy, sys, unittest
main = unittest.main
def run():
    test = sys.modules["__main__"].Test
    names = [name for name in dir(test) if name.startswith("test") or name == "will_message_test"]
    main(argv=["suite", "-v", *("Test." + name for name in names)])
unittest.main = run
sys.path.insert(0, ".")
sys.argv = [sys.argv[1], "-p", sys.argv[2]]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
# What `ok` lines there must be at least: a suite that runs nothing has not passed.
SUITES = (("client_test.py", 11), ("client_test5.py", 27))


def suites():
    named = os.environ.get("PAHO_MQTT_TESTING")
    if named:
        return Path(named) / "interoperability"
    target = _server.scratch() / "paho.mqtt.testing"
    if not target.exists():
        clone = subprocess.run(["git", "clone", "--quiet", "--depth", "1", SOURCE, str(target)], capture_output=True, text=True,
                               timeout=120, check=False)
        if clone.returncode != 0:
            _server.skip(f"the suites cannot be had: {clone.stderr.strip()[-200:]}")
    return target / "interoperability"


def run(folder, script, least):
    with _server.serving(config=PROFILE, name=script.removesuffix(".py"), data=_server.scratch() / f"data-{script}") as server:
        log = _server.scratch() / f"{script}.txt"
        with open(log, "w", encoding="utf-8") as out:
            done = subprocess.run([sys.executable, "-c", RUN, script, server.port("mqtt")], cwd=folder, stdout=out,
                                  stderr=subprocess.STDOUT, timeout=600, check=False)
        text = log.read_text(encoding="utf-8", errors="replace")
        ran = re.search(r"^Ran (\d+) tests", text, re.M)
        count = int(ran.group(1)) if ran else 0
        bad = sorted(set(re.findall(r"^(?:FAIL|ERROR): (\w+)", text, re.M)))
        print(f"{script}: {count - len(bad)} of {count} passed{', not: ' + ' '.join(bad) if bad else ''}", flush=True)
        return done.returncode == 0 and count >= least


def main():
    _server.need("git")
    folder = suites()
    results = [run(folder, script, least) for script, least in SUITES]
    _server.check(all(results), f"a suite failed; see {_server.scratch()}")


main()
