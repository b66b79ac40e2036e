"""Kafka producers through kill -9 and power cuts: three that are idempotent and send again what was not answered, three plain
ones that do not. Each has a partition of its own and up to five batches on their way. What was acknowledged is there, in the
order sent; of an idempotent producer every record once, without a gap; nothing that was never sent.

MILLRACE_KILL_CYCLES and MILLRACE_POWER_CUTS say how many (8 and 6). The power cuts need root and loop mounts (_ext4.py)."""
# timeout: 1800
import os
import random
import select
import socket
import struct
import threading
import time

from _crash import verify
from _ext4 import LOG_FLUSH, NO_LOG_FLUSH, Disk
from _kafka_wire import batch, framed, header, record
from _server import DEADLINE_S, Server, check, need, scratch

PRODUCE, INIT_PRODUCER_ID, STORAGE_ERROR = 0, 22, 56
PRODUCERS, AHEAD, TOPIC = 6, 5, "crash"


class Producer(threading.Thread):
    """One life of one producer; its `journal` outlives it."""

    def __init__(self, journal, port):
        super().__init__()
        self.journal, self.port, self.failure, self.buffer = journal, port, None, b""

    def run(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), DEADLINE_S) as self.socket:
                self.produce()
        except (ConnectionError, OSError):
            pass  # the server is gone, as it should be
        except Exception as error:  # told by the main thread
            self.failure = repr(error)

    def produce(self):
        journal = self.journal
        if journal.idempotent and journal.identity is None:
            self.socket.sendall(framed(header(INIT_PRODUCER_ID, 0, 0, False) + struct.pack(">hi", -1, 60_000)))
            answer = self.answer()
            _, error, producer, epoch = struct.unpack_from(">ihqh", answer, 4)
            if error:
                raise ValueError(f"InitProducerId is refused with {error}")
            journal.identity = producer, epoch
        if not journal.idempotent:
            journal.waiting.clear()  # in doubt for ever
        for number, (first, count) in enumerate(journal.waiting):
            self.send(first, count, number)
        while True:
            while len(journal.waiting) < AHEAD:
                first, count = journal.sent, journal.chance.randrange(1, 20)
                journal.sent += count
                journal.waiting.append((first, count))
                self.send(first, count, len(journal.waiting))
            self.take(self.answer())

    def send(self, first, count, correlation):
        journal = self.journal
        who = (*journal.identity, first) if journal.idempotent else (-1, -1, -1)
        records = batch([record(i, key=None, value=b"%d:%d" % (journal.number, first + i)) for i in range(count)], producer=who)
        topic = struct.pack(">h", len(TOPIC)) + TOPIC.encode()
        body = struct.pack(">hhii", -1, -1, 30_000, 1) + topic + struct.pack(">iii", 1, journal.number, len(records)) + records
        self.socket.sendall(framed(header(PRODUCE, 3, correlation, False) + body))

    def answer(self):
        while len(self.buffer) < 4 or len(self.buffer) < 4 + struct.unpack_from(">i", self.buffer)[0]:
            if not select.select([self.socket], [], [], DEADLINE_S)[0]:
                raise ValueError("no answer")
            data = self.socket.recv(1 << 16)
            if not data:
                raise ConnectionError
            self.buffer += data
        size = struct.unpack_from(">i", self.buffer)[0]
        answer, self.buffer = self.buffer[4:4 + size], self.buffer[4 + size:]
        return answer

    def take(self, answer):
        error = struct.unpack_from(">h", answer, 4 + 4 + 2 + len(TOPIC) + 4 + 4)[0]
        if error == STORAGE_ERROR:  # the disk has lost its power before the process: no acknowledgement, and it ends
            raise ConnectionError
        if error:
            raise ValueError(f"producer {self.journal.number}: Produce is refused with {error}")
        first, count = self.journal.waiting.pop(0)
        self.journal.acknowledged = first + count
        self.journal.runs.append((first, count))
        self.journal.total += count


class Journal:
    """What a producer sent and what was acknowledged, kept by the process that survives."""

    def __init__(self, number):
        self.number, self.idempotent, self.identity, self.chance = number, number % 2 == 0, None, random.Random(number)
        self.sent, self.acknowledged, self.total, self.runs, self.waiting = 0, 0, 0, [], []


def run_until_dead(server, journals, enough, strike):
    producers = [Producer(journal, int(server.port("kafka"))) for journal in journals]
    before = sum(journal.total for journal in journals)
    for producer in producers:
        producer.start()
    deadline = time.monotonic() + DEADLINE_S
    while sum(journal.total for journal in journals) - before < enough:
        failures = [producer.failure for producer in producers if producer.failure]
        check(not failures, failures)
        check(time.monotonic() < deadline, "the producers get on")
        producers[0].join(timeout=0.002)
    strike()
    for producer in producers:
        producer.join(DEADLINE_S)
        check(not producer.is_alive() and not producer.failure, f"a producer hangs or failed: {producer.failure}")


def check_survivors(server, journals):
    found, next_offset = [[] for _ in journals], [0] * PRODUCERS
    for line in server.consume(TOPIC, "%p\t%o\t%s\n"):
        partition, offset, value = line.split("\t")
        check(int(offset) == next_offset[int(partition)], f"partition {partition}: offset {offset} after a gap or twice")
        next_offset[int(partition)] += 1
        number, sequence = value.split(":")
        check(number == partition, f"{value} in partition {partition}")
        found[int(number)].append(int(sequence))
    for journal, there in zip(journals, found):
        wrong = next((i for i in range(1, len(there)) if there[i] <= there[i - 1]), None)
        check(wrong is None, f"producer {journal.number}: {there[wrong]} behind {there[wrong - 1]}" if wrong else "")
        check(not there or there[-1] < journal.sent, f"producer {journal.number}: never sent: {there[-1:]}")
        if journal.idempotent:
            check(there == list(range(len(there))), f"producer {journal.number}: a gap")
            check(len(there) >= journal.acknowledged, f"producer {journal.number}: {len(there)} of {journal.acknowledged}")
        else:
            missing = set().union(*(range(first, first + count) for first, count in journal.runs)) - set(there)
            check(not missing, f"producer {journal.number}: acknowledged and lost: {sorted(missing)[:10]}")
    return sum(map(len, found))


CONFIG = f"topics:\n- {{name: {TOPIC}, partitions: {PRODUCERS}}}\n"


def crashes(what, count, server, before, strike, after):
    """`count` lives of one data directory: start, load, blow, offline check; every fifth and the last are read back."""
    journals, chance = [Journal(number) for number in range(PRODUCERS)], random.Random(count)
    try:
        for cycle in range(count):
            before()
            server.start()
            if cycle % 5 == 4:
                check_survivors(server, journals)
            run_until_dead(server, journals, chance.randrange(200, 6000), lambda cycle=cycle: strike(cycle))
            after()
        before()
        server.start()
        there = check_survivors(server, journals)
        plain, idempotent = (sum(j.total for j in journals if j.idempotent == kind) for kind in (False, True))
        print(f"{count} {what}: {plain} records of plain and {idempotent} of idempotent producers acknowledged, {there} in the "
              "log: none lost, none of an idempotent producer twice, none out of order", flush=True)
        check(server.stop() == 0, "clean stop at the end")
    finally:
        server.abandon()


def main():
    need("kcat", "mkfs.ext4")
    kills, cuts = int(os.environ.get("MILLRACE_KILL_CYCLES", "8")), int(os.environ.get("MILLRACE_POWER_CUTS", "6"))
    server = Server(CONFIG, name="kill", data=scratch() / "kill-data")
    crashes("kills", kills, server, lambda: None, lambda _: server.kill(), lambda: verify(server.data))
    if os.geteuid() != 0:
        print("no power cuts: mounting a file system needs root")
        return
    disk = Disk(2048)
    server = Server(CONFIG, name="power", data=disk.mount_point / "data")

    def strike(cut):
        disk.cut((NO_LOG_FLUSH, LOG_FLUSH)[cut % 2])
        server.kill()

    def after():
        disk.unmount()
        disk.mount()
        verify(server.data)
        disk.unmount()

    try:
        crashes("power cuts", cuts, server, disk.mount, strike, after)
    finally:
        disk.unmount()


main()
