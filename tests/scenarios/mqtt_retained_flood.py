"""`#` over many retained messages: every one comes once, the server's memory stays within the budget of one connection, and
those who publish meanwhile hardly notice. RETAINED=1000000 is the size the goals are for: at most 32 MiB more, others' p99 at
most 5 times what it was, or 5 ms."""
import json
import os
import socket
import struct
import subprocess
import time

from _mqtt import connect_packet
from _server import CONFIG, MILLRACE, Server, check

RETAINED = int(os.environ.get("RETAINED", "30000"))
GOALS = RETAINED >= 1_000_000
PAYLOAD = b"p" * 64


def topic(number):
    return b"fleet/%07d/state" % number


TOPIC_BYTES = len(topic(0))
PACKET = 2 + 2 + TOPIC_BYTES + 2 + len(PAYLOAD)  # QoS 1, one length byte
COPY = PACKET - 2  # QoS 0


def connect(server, name):
    stream = socket.create_connection(("127.0.0.1", int(server.port("mqtt"))), timeout=60)
    stream.sendall(connect_packet(name))
    check(stream.recv(4) == b"\x20\x02\0\0", "CONNACK")
    return stream


def retain_all(server):
    """QoS 1, a window of 1,000: acknowledged is durable."""
    stream, acknowledged, sent = connect(server, "setter"), 0, 0
    head = struct.pack(">BBH", 0x33, PACKET - 2, TOPIC_BYTES)
    while acknowledged < RETAINED:
        many = min(1_000, RETAINED - sent)
        stream.sendall(b"".join(head + topic(sent + i) + struct.pack(">H", i + 1) + PAYLOAD for i in range(many)))
        sent += many
        left = 4 * many
        while left:
            piece = len(stream.recv(left))
            check(piece, "the server closed")
            left -= piece
        acknowledged += many
    stream.close()


def resident_kib(server):
    with open(f"/proc/{server.process.pid}/smaps_rollup", encoding="ascii") as text:
        return int(next(line for line in text if line.startswith("Anonymous")).split()[1])


def others(server, seconds):
    words = f"--publishers 10 --qos 1 --size 64 --topic other --rate 1000 --warmup 0.2 --duration {seconds} --json"
    return subprocess.Popen([MILLRACE, "bench", "mqtt", "--mqtt", f"127.0.0.1:{server.port('mqtt')}", *words.split()],
                            stdout=subprocess.PIPE, text=True)


def p99_ms(running):
    return json.loads(running.communicate(timeout=120)[0])["ack_p99_us"] / 1000


def read_all(server):
    """SUBSCRIBE to #: how long until the last one, how much more memory at most, and which ones came."""
    stream, seen, most, before = connect(server, "reader"), bytearray(RETAINED), 0, resident_kib(server)
    stream.sendall(b"\x82\x0c\0\x01\0\x07fleet/#\0")
    began, got, data, looked = time.monotonic(), 0, bytearray(), 0.0
    while len(data) < 5:
        data += stream.recv(5)
    check(data[:5] == b"\x90\x03\0\x01\0", f"SUBACK: {data[:5].hex()}")
    del data[:5]
    while got < RETAINED:
        piece = stream.recv(1 << 18)
        check(piece, f"closed after {got}")
        data += piece
        whole = len(data) // COPY
        for at in range(0, whole * COPY, COPY):
            check(data[at] == 0x31 and data[at + 4:at + 10] == b"fleet/", f"not a retained message: {data[at:at + 40]}")
            seen[int(data[at + 10:at + 17])] += 1
        del data[:whole * COPY]
        got += whole
        if time.monotonic() - looked > 0.1:
            looked = time.monotonic()
            most = max(most, resident_kib(server) - before)
    stream.close()
    check(seen == b"\x01" * RETAINED, "every one came once")
    return time.monotonic() - began, most


def main():
    server = Server(config=CONFIG + "memory.tail.bytes: 8MiB\n", name="retained-flood").start()
    try:
        retain_all(server)
        held = server.metric("millrace_mqtt_retained_messages")
        check(held >= RETAINED, f"{held} retained")
        calm = p99_ms(others(server, 2))
        meanwhile = others(server, max(2, RETAINED // 100_000))
        time.sleep(0.4)
        seconds, grown = read_all(server)
        busy = p99_ms(meanwhile)
        print(f"{RETAINED} in {seconds:.1f} s, {grown / 1024:.1f} MiB more; "
              f"p99 of others {calm:.2f} ms before, {busy:.2f} ms meanwhile")
        check(grown <= 32 * 1024, f"{grown} KiB more")
        check(not GOALS or busy <= max(5 * calm, 5), f"p99 of others {busy} ms, {calm} ms before")
        check(server.stop() == 0, "clean stop")
    finally:
        server.abandon()


main()
