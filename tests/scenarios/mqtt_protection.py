"""Clients that take more than their share: unfinished packets, a storm of connections, a fight over an identifier, subscribers
that do not read. Memory stays within its budget, others are served, what was acknowledged is there, afterwards all is well."""
import json
import socket
import time

from _mqtt import Publisher, connect_packet
from _server import Server, check, wait_until

MIB = 1 << 20


def connect(server, client_id, level=4, timeout=20):
    one = socket.create_connection(("127.0.0.1", int(server.port("mqtt"))), timeout=timeout)
    one.sendall(connect_packet(client_id, level=level))
    return one


def connack(one):
    """The reason in CONNACK, or None when the connection ends instead."""
    head = one.recv(2)
    body = one.recv(head[1]) if len(head) == 2 else b""
    return body[1] if len(body) > 1 else None


def ping(one, within_s=5):
    one.settimeout(within_s)
    one.sendall(b"\xc0\x00")
    check(one.recv(2) == b"\xd0\x00", "PINGREQ is answered")


def rss_mib(server):
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024


def reports(count):
    return ((n, "report", json.dumps({"type": "log", "device_no": "D1", "n": n}).encode()) for n in range(count))


class Holder:
    """Sends CONNECT and all but the end of a PUBLISH of 500 KB, as far as the server takes it."""

    HEAD = b"\x30" + bytes([0x80 | 500_000 & 0x7F, 0x80 | 500_000 >> 7 & 0x7F, 500_000 >> 14]) + b"\0\1t"

    def __init__(self, server, number):
        self.socket = connect(server, f"holder-{number}")
        self.socket.setblocking(False)
        self.rest = memoryview(self.HEAD + b"x" * 480_000)

    def go_on(self):
        try:
            while self.rest:
                self.rest = self.rest[self.socket.send(self.rest):]
        except BlockingIOError:
            pass
        except OSError:  # closed by the server
            self.rest = b""


def unfinished_packets():
    """Ever more clients hold ever more, at a budget of 16 MiB, until the server pauses accepting."""
    server = Server(name="memory", options=("--set", "mqtt.memory.max.bytes=16MiB", "--set", "mqtt.identity.max.bytes=8MiB"))
    try:
        server.start()
        quiet = connect(server, "quiet")
        check(connack(quiet) == 0, "a quiet client is connected")
        device = Publisher(server.port("mqtt"), "device")
        check(device.publish(reports(500)), "messages are acknowledged before")
        before, holders, deadline = rss_mib(server), [], time.monotonic() + 30
        while server.metric("millrace_mqtt_accept_pauses_total") == 0:
            check(time.monotonic() < deadline, "accepting pauses")
            if len(holders) < 500:
                holders += [Holder(server, len(holders) + n) for n in range(10)]
            for holder in holders:
                holder.go_on()
            ping(quiet)
        check(rss_mib(server) - before < 48, f"at a budget of 16 MiB {rss_mib(server) - before:.0f} MiB of memory are taken")
        ping(quiet)
        late = connect(server, "late", timeout=30)
        for holder in holders:
            holder.socket.close()
        check(connack(late) == 0, "who waits to be accepted is accepted when there is room")
        wait_until(lambda: server.metric("millrace_mqtt_held_bytes") == 0, "all is free again")
        check(device.publish(reports(500)), "messages are acknowledged afterwards")
        check(len(server.consume("message-log", "%o\n")) == 1000, "every acknowledged message is in the log")
    finally:
        server.abandon()


def storms():
    server = Server(name="storms", options=("--set", "mqtt.accept.rate=100", "--set", "mqtt.takeover.rate=1", "--set",
                                           "mqtt.connect.wait.max.ms=3s"))
    try:
        server.start()
        start, clients = time.monotonic(), []
        for n in range(200):
            clients.append(connect(server, f"storm-{n}"))
        check(all(connack(one) == 0 for one in clients), "everybody of a storm is connected in the end")
        took = time.monotonic() - start
        check(0.7 < took < 10, f"200 clients at 100 a second, a hundred at once, took {took:.1f} s")
        for one in clients:
            one.close()
        # Ten take-overs at once, then one a second; who would wait for more than three seconds is refused.
        fight = [connect(server, "same", level=5) for _ in range(30)]
        answers = [connack(one) for one in fight]
        check(answers.count(0x9F) >= 10, f"0x9F for the many: {answers}")
        # Some are displaced by the next before they are told anything.
        check(answers.count(0) + answers.count(None) >= 11, f"others had their turn: {answers}")
        check(server.metric("millrace_mqtt_connects_held_total") >= 2, "some waited for it")
    finally:
        server.abandon()


def a_subscriber_that_does_not_read():
    """Its QoS 0 messages are dropped and counted, nobody waits for it, memory stays."""
    server = Server(name="slow", options=("--set", "mqtt.memory.max.bytes=8MiB"))
    try:
        server.start()
        slow = connect(server, "slow")
        check(connack(slow) == 0, "connected")
        slow.sendall(b"\x82\x0b\0\1\0\6report\0")
        check(slow.recv(5)[:1] == b"\x90", "subscribed")
        publisher = Publisher(server.port("mqtt"), "publisher")
        payload = json.dumps({"type": "log", "device_no": "D1", "pad": "x" * 16_000}).encode()
        check(publisher.publish((n, "report", payload) for n in range(2000)), "32 MB are acknowledged")
        check(server.metric("millrace_mqtt_messages_dropped_total") > 0, "what it did not take is dropped and counted")
        check(server.metric("millrace_mqtt_held_bytes") <= 8 * MIB, "within the budget")
    finally:
        server.abandon()


unfinished_packets()
storms()
a_subscriber_that_does_not_read()
