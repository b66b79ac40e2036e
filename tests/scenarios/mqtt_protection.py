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


def unfinished_packets():
    """100 clients send all but the end of 500 KB each, at a budget of 16 MiB."""
    server = Server(name="memory", options=("--set", "mqtt.memory.max.bytes=16MiB", "--set", "mqtt.identity.max.bytes=8MiB"))
    try:
        server.start()
        quiet = connect(server, "quiet")
        check(connack(quiet) == 0, "a quiet client is connected")
        device = Publisher(server.port("mqtt"), "device")
        check(device.publish(reports(500)), "messages are acknowledged before")
        before = rss_mib(server)
        holders = [connect(server, f"holder-{n}") for n in range(100)]
        check(all(connack(one) == 0 for one in holders), "holders are connected")
        packet = b"\x30" + bytes([0x80 | 500_000 & 0x7F, 0x80 | 500_000 >> 7 & 0x7F, 500_000 >> 14]) + b"\0\1t" + b"x" * 480_000
        for n, one in enumerate(holders):
            one.settimeout(0.02)
            try:
                one.sendall(packet)
            except OSError:
                pass  # not read, or closed: that is the point
            if n % 25 == 0:
                ping(quiet)
        check(server.metric("millrace_mqtt_connections_closed_total") > 0, "who took more than there was is closed")
        check(rss_mib(server) - before < 48, f"100 x 500 KB took {rss_mib(server) - before:.0f} MiB of memory")
        late = connect(server, "late")
        check(connack(late) == 0, "who waits to be accepted is accepted when those that hold most have been closed")
        check(server.metric("millrace_mqtt_accept_pauses_total") > 0, "accepting paused")
        ping(quiet)
        for one in holders:
            one.close()
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
        for n in range(300):
            clients.append(connect(server, f"storm-{n}"))
        check(all(connack(one) == 0 for one in clients), "everybody of a storm is connected in the end")
        took = time.monotonic() - start
        check(1.5 < took < 10, f"300 clients at 100 a second took {took:.1f} s")
        for one in clients:
            one.close()
        # Ten take-overs at once, then one a second; who would wait for more than three seconds is refused.
        fight = [connect(server, "same", level=5) for _ in range(30)]
        answers = [connack(one) for one in fight]
        check(answers.count(0x9F) >= 10, f"0x9F for the many: {answers}")
        check(answers.count(0) >= 11, f"others had their turn: {answers}")
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
