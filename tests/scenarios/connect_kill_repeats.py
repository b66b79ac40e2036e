"""What a kill -9 costs a destination: how soon it is delivered to again, and how much it gets a second time. That is at most
what may be under way: `max.in.flight.requests` times `batch.size` for Elasticsearch, two batches for a sink that sends one
after the other.

MILLRACE_KILL_CYCLES=50 is the long run.
"""

import json
import os
import random
import re
import subprocess
import threading
import time

from _connect import Connect
from _faulty import Handler, Server as HttpServer
from _server import check, need, serving, wait_until

CYCLES = int(os.environ.get("MILLRACE_KILL_CYCLES", "4"))
PER_CYCLE, BATCH, UNDER_WAY = 8000, 200, 5
GOAL_S, LIMIT_S = 2, 8  # a machine that does much else at a time is slower
JSON = {
    "topics": "cars",
    "value.converter": "org.apache.kafka.connect.json.JsonConverter",
    "value.converter.schemas.enable": "false",
}


class Counting(HttpServer):
    """Knows which records it has had, from which time on it is asked again, and what came twice since."""

    def __init__(self, takes_s):
        peer, self.seen, self.again, self.first, self.lock = self, set(), 0, None, threading.Lock()

        class Any(Handler):
            def do_GET(self):
                self.answer(200, b'{"version":{"number":"8.1.0"}}')

            def do_POST(self):
                body = self.body()
                now, found = time.monotonic(), [int(seq) for seq in re.findall(rb'"seq":(\d+)', body)]
                with peer.lock:
                    peer.first = peer.first or now
                    peer.again += sum(seq in peer.seen for seq in found)
                    peer.seen.update(found)
                time.sleep(takes_s)
                self.answer(200, b'{"took":1,"errors":false,"items":[]}')

        super().__init__(("127.0.0.1", 0), Any)


def produce(server, start):
    lines = "".join(f'd{i % 50}\t{json.dumps({"seq": i})}\n' for i in range(start, start + PER_CYCLE)).replace(" ", "")
    done = subprocess.run(
        ["kcat", "-b", server.ports["kafka"], "-P", "-t", "cars", "-K", "\t"], input=lines, text=True, timeout=60
    )
    check(done.returncode == 0, "kcat produced")


def main():
    need("kcat")
    draw, total = random.Random(5), CYCLES * PER_CYCLE
    config = "topics:\n  - {name: cars, partitions: 4}\n"
    with Counting(0.02) as es, Counting(0.004) as service, serving(config=config) as server:
        connect = Connect(server)
        connect.create("es", {**JSON, "connector.class": "ElasticsearchSinkConnector", "key.ignore": "true",
                              "batch.size": str(BATCH), "max.in.flight.requests": str(UNDER_WAY), "connection.url": es.url})
        connect.create("http", {**JSON, "connector.class": "HttpSinkConnector", "batch.max.size": str(BATCH),
                                "batch.json.as.array": "true", "http.api.url": service.url})
        bounds, again, waits = {es: UNDER_WAY * BATCH, service: 2 * BATCH}, {es: [], service: []}, {es: [], service: []}
        for cycle in range(CYCLES):
            for peer in bounds:
                peer.first, peer.again = None, 0
            produce(server, cycle * PER_CYCLE)
            wait_until(lambda: es.first and service.first, "they are delivered to")
            time.sleep(draw.random() * 0.15)
            server.kill()
            killed = time.monotonic()
            time.sleep(0.05)  # what the peers were still reading
            for peer in bounds:
                peer.first, peer.again = None, 0
            server.start()
            produce(server, total + cycle * PER_CYCLE)  # something to deliver, whatever was done already
            wait_until(
                lambda: len(es.seen) == len(service.seen) == 2 * (cycle + 1) * PER_CYCLE,
                f"everything: {len(es.seen)} and {len(service.seen)}",
                120,
            )
            for peer, bound in bounds.items():
                waits[peer].append(peer.first - killed)
                again[peer].append(peer.again)
                check(peer.again <= bound, f"{peer.again} records came again, at most {bound} were under way")
        longest = max(max(one) for one in waits.values())
        check(longest < LIMIT_S, f"{longest:.2f} s from the kill to the first record")
        print(
            f"{CYCLES} kills; delivering again after {longest:.2f} s at most (goal {GOAL_S}); came again: Elasticsearch "
            f"{max(again[es])} of {bounds[es]} at most, HTTP {max(again[service])} of {bounds[service]}"
        )


main()
