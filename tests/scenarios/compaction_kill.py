"""kill -9 while a compacted topic is written and compacted: the newest acknowledged value of each key is there afterwards.

MILLRACE_KILL_CYCLES sets how often (6); MILLRACE_SEED when.
"""
import os
import random
import subprocess
import threading
import time

from _crash import verify
from _server import MILLRACE, Server, check, need, wait_until

KEYS, ROUND = 200, 2_000


def produce(server, first, count, random_key):
    """`count` records "k<key>" -> their number, one kcat: {key: number} when all are acknowledged, None when it failed."""
    numbers = range(first, first + count)
    keyed = [(random_key(), number) for number in numbers]
    done = subprocess.run(["kcat", "-b", server.ports["kafka"], "-P", "-t", "table", "-K", ":", "-X", "message.timeout.ms=4000",
                           "-X", "enable.idempotence=true"], text=True, capture_output=True, timeout=60,
                          input="".join(f"k{key}:{number:0100}\n" for key, number in keyed))
    return dict(keyed) if done.returncode == 0 else None


def main():
    need("kcat")
    cycles, seed = int(os.environ.get("MILLRACE_KILL_CYCLES") or 6), int(os.environ.get("MILLRACE_SEED") or time.time())
    print(f"MILLRACE_SEED={seed}")
    rng = random.Random(seed)
    config = "auto.create.topics.enable: false\nlog.cleaner.backoff.ms: 20ms\njournal.checkpoint.interval.ms: 200ms\n"
    server = Server(name="compaction", config=config)
    acknowledged, number, compacted = {}, 0, 0
    try:
        for cycle in range(cycles + 1):
            server.start()
            if cycle == 0:
                settings = ("cleanup.policy=compact", "segment.bytes=65536", "min.cleanable.dirty.ratio=0.01")
                words = [word for setting in settings for word in ("--config", setting)]
                made = subprocess.run([MILLRACE, "topics", "create", "table", "--partitions", "2", *words,
                                       "--kafka", server.ports["kafka"]], capture_output=True, text=True, timeout=30)
                check(made.returncode == 0, made.stdout + made.stderr)
            read_back(server, acknowledged, cycle)
            if cycle == cycles:
                break
            strike = threading.Timer(rng.uniform(0.5, 1.5), server.kill)
            strike.start()
            while server.process.poll() is None:
                done = produce(server, number, ROUND, lambda: rng.randrange(KEYS))
                number += ROUND
                if done is not None:
                    acknowledged.update(done)
                try:
                    compacted = max(compacted, server.metric("millrace_storage_compaction_dropped_records_total"))
                except OSError:
                    break  # killed
            strike.join()
            verify(server.data)
        before = server.metric("millrace_storage_compactions_total")
        check(produce(server, number, ROUND, lambda: rng.randrange(KEYS)) is not None, "producing after the last start")
        wait_until(lambda: server.metric("millrace_storage_compactions_total") > before, "compaction goes on")
        check(compacted > 0, "compaction ran between the kills")
        check(server.stop() == 0, "clean stop")
        verify(server.data)
        print(f"{cycles} kills, {number} records sent, {len(acknowledged)} keys, {compacted:.0f} records compacted in one life")
    finally:
        server.abandon()


def read_back(server, acknowledged, cycle):
    newest, before = {}, {}
    for line in server.consume("table", "%p %o %k %s\n"):
        partition, offset, key, value = line.split()
        check(before.get(partition, -1) < int(offset), f"cycle {cycle}: offsets of partition {partition} go up")
        before[partition] = int(offset)
        newest[int(key[1:])] = int(value)
    for key, value in acknowledged.items():
        check(newest.get(key, -1) >= value, f"cycle {cycle}: key {key} shows {newest.get(key)}, {value} was acknowledged")


main()
