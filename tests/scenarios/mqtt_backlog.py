"""A persistent session with many messages waiting: what they cost in memory, and how fast they are drained, after a kill -9 as
well. MESSAGES=1000000 is the size the goals are for: at most 32 MiB, at least 100,000 messages a second."""
import os
import socket
import struct
import subprocess
import time

from _mqtt import connect_packet
from _server import CONFIG, MILLRACE, Server, check

MESSAGES = int(os.environ.get("MESSAGES", "100000"))
GOALS = MESSAGES >= 1_000_000
TOPIC, PAYLOAD = b"wait/x", 64
PACKET = 2 + 2 + len(TOPIC) + 2 + PAYLOAD  # of one PUBLISH: all are alike
ID_AT = 2 + 2 + len(TOPIC)


class Reader:
    """A 3.1.1 client that acknowledges as fast as it can, by slices instead of message by message."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", int(port)), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(connect_packet("reader", clean=False))
        self.left = b""
        self.session_present = self.exactly(4)[2] == 1

    def exactly(self, count):
        while len(self.left) < count:
            self.left += self.socket.recv(count - len(self.left))
        data, self.left = self.left[:count], self.left[count:]
        return data

    def subscribe(self):
        body = struct.pack(">H", 1) + struct.pack(">H", len(TOPIC)) + TOPIC + b"\x01"
        self.socket.sendall(bytes([0x82, len(body)]) + body)
        check(self.exactly(5)[4] == 1, "SUBACK")

    def drain(self, count):
        got, data = 0, bytearray(self.left)
        while got < count:
            piece = self.socket.recv(1 << 20)
            check(piece, "the server closed")
            data += piece
            whole = len(data) // PACKET
            if whole == 0:
                continue
            acks = bytearray(4 * whole)
            acks[0::4], acks[1::4] = b"\x40" * whole, b"\x02" * whole
            acks[2::4], acks[3::4] = data[ID_AT:whole * PACKET:PACKET], data[ID_AT + 1:whole * PACKET:PACKET]
            self.socket.sendall(acks)
            del data[:whole * PACKET]
            got += whole
        return got


def resident_kib(server):
    with open(f"/proc/{server.process.pid}/smaps_rollup", encoding="ascii") as text:
        return int(next(line for line in text if line.startswith("Anonymous")).split()[1])


def publish(server, topic):
    """One second of messages, all acknowledged: how many."""
    before = server.metric("millrace_mqtt_messages_received_total")
    subprocess.run([MILLRACE, "bench", "mqtt", "--mqtt", f"127.0.0.1:{server.port('mqtt')}", "--qos", "1", "--size", str(PAYLOAD),
                    "--publishers", "20", "--window", "100", "--warmup", "0", "--duration", "1", "--topic", topic],
                   check=True, capture_output=True, timeout=60)
    time.sleep(0.2)
    return int(server.metric("millrace_mqtt_messages_received_total") - before)


def drain(server, waiting, what):
    reader = Reader(server.port("mqtt"))
    check(reader.session_present, "the session is there")
    started = time.monotonic()
    got = reader.drain(waiting)
    rate = got / (time.monotonic() - started)
    print(f"{what}: {waiting} drained at {rate:,.0f}/s")
    time.sleep(2)  # the session's record is written
    reader.socket.close()
    return rate


def main():
    settings = "mqtt.session.expiry.max.ms: 1h\nmqtt.max.inflight: 4000\nmemory.tail.bytes: 8MiB\n"
    server = Server(config=CONFIG + settings, name="backlog")
    try:
        server.start()
        reader = Reader(server.port("mqtt"))
        reader.subscribe()
        reader.socket.close()
        publish(server, "other/x")  # so that the memory compared is that of a server at work
        publish(server, "other/x")
        before, waiting = resident_kib(server), 0
        while waiting < MESSAGES:
            waiting += publish(server, TOPIC.decode())
        time.sleep(1)
        grown = resident_kib(server) - before
        print(f"{waiting} messages wait: {grown / 1024:.1f} MiB more than before")
        rate = drain(server, waiting, "in the same process")
        waiting = publish(server, TOPIC.decode())
        server.kill()
        server.start()
        drain(server, waiting, "after a kill -9")
        check(not GOALS or rate >= 100_000, f"{rate:,.0f}/s")
        check(not GOALS or grown <= 32 * 1024, f"{grown} KiB")
        check(server.stop() == 0, "clean stop")
    finally:
        server.abandon()


main()
