"""A backlog many times as large as memory may be: the sink was away, records piled up, the process was started again. The
first are delivered at once, and memory does not grow with what is left.

MILLRACE_BACKLOG_MB=5000 makes it large.
"""

# timeout: 900
import os
import subprocess
import threading
import time

from _connect import Connect
from _faulty import Handler, Server as HttpServer
from _server import check, need, scratch, serving, wait_until

MB = int(os.environ.get("MILLRACE_BACKLOG_MB", "300"))
SIZE, PARTITIONS = 1000, 4
CONFIG = f"topics:\n  - {{name: cars, partitions: {PARTITIONS}}}\nmemory.tail.bytes: 32MiB\n"


class Counting(HttpServer):
    """Takes bulk requests and counts documents; `away` resets every connection."""

    def __init__(self):
        counting, self.documents, self.away, self.lock = self, 0, True, threading.Lock()

        class Bulk(Handler):
            def do_GET(self):
                self.answer(200, b'{"version":{"number":"8.1.0"}}')

            def do_POST(self):
                body = self.body()
                if counting.away:
                    return self.reset()
                count = body.count(b"\n") // 2
                with counting.lock:  # += alone loses what another thread adds meanwhile
                    counting.documents += count
                self.answer(200, b'{"took":1,"errors":false,"items":[]}')

        super().__init__(("127.0.0.1", 0), Bulk)


def resident(pid, name="VmRSS"):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith(name))


def fill(server, count):
    tail = "x" * (SIZE - 40)
    with subprocess.Popen(
        ["kcat", "-b", server.ports["kafka"], "-P", "-t", "cars", "-K", "\t", "-X", "linger.ms=50"], stdin=subprocess.PIPE
    ) as kcat:
        for begin in range(0, count, 10_000):
            piece = range(begin, min(begin + 10_000, count))
            lines = "".join(f'd{i % 1000}\t{{"seq":{i},"note":"{tail}"}}\n' for i in piece)
            kcat.stdin.write(lines.encode())
        kcat.stdin.close()
        check(kcat.wait(300) == 0, "kcat filled the topic")


def main():
    need("kcat")
    count = MB * 1_000_000 // SIZE
    with Counting() as es, serving(config=CONFIG) as server:
        connect = Connect(server)
        sink = {
            "connector.class": "ElasticsearchSinkConnector",
            "topics": "cars",
            "key.ignore": "true",
            "connection.url": es.url,
            "retry.backoff.ms": "50",
            "max.retries": "1000000",
        }
        connect.create("es", sink)
        fill(server, count)
        check(es.documents == 0, "the destination was away")
        server.stop(60)
        es.away = False
        begin = time.monotonic()
        server.start()
        pid = server.process.pid
        wait_until(lambda: es.documents > 0, "the first are delivered", 30)
        first = time.monotonic() - begin
        check(first < 5, f"the first records came {first:.2f} s after the start")
        wait_until(lambda: es.documents >= count // 5, "a fifth is delivered", 300)
        early = resident(pid)
        wait_until(lambda: es.documents >= count, f"{es.documents} of {count}", 600)
        late, peak = resident(pid), resident(pid, "VmHWM")
        check(es.documents == count, f"each once: {es.documents} of {count}")
        check(late < early * 1.2 + 8, f"memory grew with what was delivered: {early:.0f} to {late:.0f} MiB")
        check(peak < 256, f"{peak:.0f} MiB at most, for a backlog of {MB} MB")
        wait_until(connect.balance_closes, "the balance closes", 30)
        took = time.monotonic() - begin
        print(
            f"{MB} MB: first after {first:.2f} s, all after {took:.1f} s; resident {early:.0f} MiB at a fifth, {late:.0f} at the "
            f"end, {peak:.0f} at most"
        )


main()
