"""SIGTERM under load: the program stops within 10 s, every acknowledged message is in the log, and the directory verifies."""
import json
import subprocess
import threading
import time

from _mqtt import Publisher
from _server import MILLRACE, Server, check, need


def messages(name):
    number = 0
    while True:
        body = json.dumps({"type": "log", "device_no": name, "sequence": number}).encode()
        yield number, "report", body
        number += 1


def main():
    need("kcat")
    server = Server().start()
    try:
        publishers = [(name, Publisher(server.port("mqtt"), name)) for name in ("S0", "S1", "S2", "S3")]
        threads = [threading.Thread(target=p.publish, args=(messages(name), 5)) for name, p in publishers]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 30
        while min(len(p.acknowledged) for _, p in publishers) < 500 and time.monotonic() < deadline:
            time.sleep(0.01)
        begin = time.monotonic()
        check(server.stop() == 0, "exit status 0")
        took = time.monotonic() - begin
        check(took < 10, f"stopped in {took:.1f} s")
        for thread in threads:
            thread.join()
        done = subprocess.run([MILLRACE, "verify", "--deep", str(server.data)], capture_output=True, text=True, check=False)
        check(done.returncode == 0, done.stdout + done.stderr)
        server.start()
        there = {}
        for line in server.consume("message-log"):
            message = json.loads(line.split("\t", 3)[3])
            there.setdefault(message["device_no"], []).append(message["sequence"])
        for name, publisher in publishers:
            check(len(publisher.acknowledged) >= 500, f"{name} was acknowledged 500 times before the stop")
            check(set(publisher.acknowledged) <= set(there[name]), f"every acknowledged message of {name} is there")
            check(there[name] == sorted(set(there[name])), f"{name} once and in order")
        print(f"stopped in {took:.2f} s with {sum(len(p.acknowledged) for _, p in publishers)} messages acknowledged")
    finally:
        server.abandon()


main()
