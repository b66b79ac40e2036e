"""Every normative statement of MQTT 5.0 and 3.1.1 by its packet script (tests/mqtt/README.md), against the real program.
`mqtt_statements.py 5:3.1.2-4 connect.txt` runs only these. MQTT_PORT: a server that runs already."""
import os
import sys
import threading
import time

import _packet_script
from _server import SOURCE, check, serving

CONFIG = """
mqtt.receive.maximum: 5
mqtt.subscribe.denied: [denied/x]
"""
AT_ONCE = 8  # cases that wait do not hold up the others


def wanted(case, level, words):
    ids = case.ids[level]
    return not words or case.path.name in words or any(f"{'5' if level == 5 else '3'}:{one}" in words for one in ids)


def run_all(jobs, port):
    failures, done, lock = [], [0], threading.Lock()
    queue = list(enumerate(jobs))

    def work():
        while True:
            with lock:
                if not queue:
                    return
                number, (case, level) = queue.pop(0)
            try:
                _packet_script.Run(case, level, port, f"s{number}/").run()
            except _packet_script.Failed as failure:
                with lock:
                    failures.append(f"{case.name(level)}: {failure}")
            with lock:
                done[0] += 1

    threads = [threading.Thread(target=work) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(failures), done[0]


def main():
    files = sorted((SOURCE / "tests" / "mqtt" / "statements").glob("*.txt"))
    cases = [case for file in files for case in _packet_script.read(file) if case.steps]
    jobs = [(case, level) for case in cases for level in case.levels if wanted(case, level, sys.argv[1:])]
    check(jobs, "no such case")
    begin = time.monotonic()
    if "MQTT_PORT" in os.environ:
        failures, count = run_all(jobs, os.environ["MQTT_PORT"])
    else:
        with serving(config=CONFIG) as server:
            failures, count = run_all(jobs, server.port("mqtt"))
            check(server.stop() == 0, "clean stop")
    for failure in failures:
        print(failure)
    check(not failures, f"{len(failures)} of {count} cases")
    print(f"{count} cases in {time.monotonic() - begin:.1f} s")


main()
