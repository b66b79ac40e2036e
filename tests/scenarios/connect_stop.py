"""SIGTERM with connectors at work: the stop takes less than 10 s though one destination never answers, and what the others had
delivered is not delivered again, because their last bookmarks were written before the log stopped."""

import json
import subprocess
import threading
import time

from _connect import Connect
from _faulty import Handler, Server as HttpServer
from _server import check, need, scratch, serving, wait_until

CONFIG = "topics:\n  - {name: steady, partitions: 4}\n  - {name: stuck, partitions: 2}\noffset.flush.interval.ms: 10m\n"
RECORDS = 20_000
FILES = 8


class Hanging(HttpServer):
    """Takes requests and never answers."""

    def __init__(self):
        class Never(Handler):
            def serve(self):
                self.body()
                proxy.asked.set()
                time.sleep(600)

            do_GET = do_POST = do_PUT = serve

        proxy, self.asked = self, threading.Event()
        super().__init__(("127.0.0.1", 0), Never)


def produce(server, topic, values):
    done = subprocess.run(
        ["kcat", "-b", server.ports["kafka"], "-P", "-t", topic, "-K", "\t"],
        timeout=60,
        text=True,
        input="".join(f"{value % 97}\t{{\"seq\":{value}}}\n" for value in values),
    )
    check(done.returncode == 0, "kcat produced")


def main():
    need("kcat")
    with Hanging() as hanging, serving(config=CONFIG) as server:
        connect = Connect(server)
        out = [scratch() / f"out-{i}" for i in range(FILES)]
        for i, path in enumerate(out):
            connect.create(
                f"file-{i}", {"connector.class": "FileStreamSink", "topics": "steady", "file": str(path), "tasks.max": "2"}
            )
        connect.create(
            "stuck", {"connector.class": "HttpSink", "topics": "stuck", "http.api.url": hanging.url, "tasks.max": "2"}
        )
        produce(server, "stuck", range(10))
        produce(server, "steady", range(RECORDS))
        check(hanging.asked.wait(30), "the hanging service was asked")
        wait_until(
            lambda: server.metric("millrace_connect_delivered_records") >= FILES * RECORDS, "everything is in the files", 60
        )
        begin = time.monotonic()
        check(server.stop() == 0, "exit status 0")
        took = time.monotonic() - begin
        server.start()
        produce(server, "steady", [RECORDS])
        wait_until(lambda: all(path.read_bytes().count(b"\n") > RECORDS for path in out), "the file sinks go on", 60)
        for path in out:
            found = sorted(json.loads(line)["seq"] for line in path.read_text().splitlines())
            check(found == list(range(RECORDS + 1)), f"{path.name}: {len(found)} lines of {RECORDS + 1}: some came again")
        print(f"stopped in {took:.2f} s")


main()
