"""Twenty times kill -9 while consumers commit: no committed offset is lost or gone back, and none comes from nowhere. Commits are
pipelined on plain sockets; what was acknowledged is kept by this process, which survives."""
# timeout: 600
import os
import random
import select
import socket
import struct

from _server import DEADLINE_S, Server, check

GROUPS, AHEAD = 8, 50
COMMIT, FETCH, COORDINATOR_LOAD_IN_PROGRESS = 8, 9, 14


def text(value):
    return struct.pack(">h", len(value)) + value


def request(api, version, correlation, body):
    frame = struct.pack(">hhi", api, version, correlation) + text(b"scenario") + body
    return struct.pack(">i", len(frame)) + frame


def commit(group, offset):
    """OffsetCommit 7 of events-0, as a simple consumer; the correlation id is the offset."""
    member = text(b"group-%d" % group) + struct.pack(">i", -1) + text(b"") + struct.pack(">h", -1)
    partition = struct.pack(">i", 1) + text(b"events") + struct.pack(">iiqi", 1, 0, offset, -1) + text(b"")
    return request(COMMIT, 7, offset, member + partition)


def answers(buffer):
    """Whole answers at the front of the buffer, and what is left."""
    found = []
    while len(buffer) >= 4 and len(buffer) >= 4 + (size := struct.unpack_from(">i", buffer)[0]):
        found.append(buffer[4:4 + size])
        buffer = buffer[4 + size:]
    return found, buffer


class Consumer:
    """One group that commits 1, 2, 3, … with AHEAD commits on their way."""

    def __init__(self, number):
        self.number, self.sent, self.acknowledged, self.socket, self.buffer = number, 0, 0, None, b""

    def connect(self, server):
        self.socket, self.buffer = socket.create_connection(("127.0.0.1", int(server.port("kafka"))), DEADLINE_S), b""

    def fill(self, waiting):
        frames = b""
        while waiting < AHEAD:
            self.sent, waiting = self.sent + 1, waiting + 1
            frames += commit(self.number, self.sent)
        self.socket.sendall(frames)

    def take(self):
        """Counts what came; how many commits are still on their way."""
        data = self.socket.recv(1 << 16)
        if not data:
            raise ConnectionError
        found, self.buffer = answers(self.buffer + data)
        for answer in found:
            offset, error = struct.unpack_from(">i", answer)[0], struct.unpack(">h", answer[-2:])[0]
            check(error in (0, COORDINATOR_LOAD_IN_PROGRESS), f"group {self.number}: commit {offset} is refused with {error}")
            if error == 0:
                check(offset > self.acknowledged, f"group {self.number}: answers are in order")
                self.acknowledged = offset
        return len(found)

    def committed(self, server):
        body = text(b"group-%d" % self.number) + struct.pack(">i", 1) + text(b"events") + struct.pack(">ii", 1, 0)
        while True:  # until the groups are loaded
            with socket.create_connection(("127.0.0.1", int(server.port("kafka"))), DEADLINE_S) as link:
                link.sendall(request(FETCH, 5, 1, body))
                found, buffer = [], b""
                while not found:
                    found, buffer = answers(buffer + link.recv(1 << 16))
            if struct.unpack(">h", found[0][-2:])[0] != COORDINATOR_LOAD_IN_PROGRESS:
                return struct.unpack_from(">q", found[0], 4 + 4 + 4 + 2 + len("events") + 4 + 4)[0]

    def verify(self, server):
        now = max(self.committed(server), 0)
        check(self.acknowledged <= now <= self.sent,
              f"group {self.number} has {now}; {self.acknowledged} was acknowledged, {self.sent} sent")
        # Whatever is there now counts, answered or not: it may not go back.
        self.acknowledged, self.sent = now, max(now, self.sent)


def run_until_dead(server, consumers, enough):
    """Commits until `enough` are acknowledged, then kills the server and reads what it had still answered."""
    waiting, count, alive = {}, 0, True
    for consumer in consumers:
        consumer.connect(server)
        consumer.fill(0)
        waiting[consumer.socket] = (consumer, AHEAD)
    while waiting:
        readable = select.select(list(waiting), [], [], DEADLINE_S)[0]
        check(readable, "the server answers")
        for link in readable:
            consumer, ahead = waiting[link]
            try:
                done = consumer.take()
                count += done
                if alive:
                    consumer.fill(ahead - done)
                waiting[link] = (consumer, AHEAD if alive else ahead - done)
            except (ConnectionError, BrokenPipeError):
                link.close()
                del waiting[link]
        if alive and count >= enough:
            server.kill()
            alive = False
    return count


def main():
    cycles, chance = int(os.environ.get("MILLRACE_KILL_CYCLES", "20")), random.Random(4)
    server = Server(config="topics:\n- {name: events, partitions: 1}\n")
    consumers, count = [Consumer(number) for number in range(GROUPS)], 0
    try:
        for _ in range(cycles):
            server.start()
            for consumer in consumers:
                consumer.verify(server)
            count += run_until_dead(server, consumers, chance.randrange(50, 4000))
        server.start()
        for consumer in consumers:
            consumer.verify(server)
        print(f"{cycles} kills, {GROUPS} groups, {count} commits answered: none lost, none gone back")
        check(server.stop() == 0, "clean stop at the end")
    finally:
        server.abandon()


main()
