#!/usr/bin/env python3
"""Debian's mosquitto clients: MQTT 3.1, 3.1.1 and 5, QoS 0, 1 and 2, 200 KB payloads, wildcards, wills, request and response."""
import subprocess

from _broker import _server, mqtt_port

PUB, SUB, RR = "mosquitto_pub", "mosquitto_sub", "mosquitto_rr"


def subscriber(port, *options, count):
    """A mosquitto_sub that ends after `count` messages; returns when its subscription is acknowledged."""
    process = subprocess.Popen(["stdbuf", "-oL", SUB, "-p", str(port), "-d", "-W", "30", "-C", str(count), *options],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    for line in process.stdout:
        if b"Subscribed (mid" in line:
            return process
    _server.check(False, f"mosquitto_sub {options} was not subscribed")


def publish(port, *options, data=None):
    done = subprocess.run([PUB, "-p", str(port), *options], input=data, capture_output=True, timeout=60)
    _server.check(done.returncode == 0, f"mosquitto_pub {options} ended with {done.returncode}: {done.stderr.decode()}")


def received(process):
    out, _ = process.communicate(timeout=60)
    _server.check(process.returncode == 0, f"mosquitto_sub ended with {process.returncode}: {out[-300:]!r}")
    return [line for line in out.split(b"\n") if line and not line.startswith((b"Client ", b"Subscribed"))]


def round_trips(port):
    large = b"L" * 200_000
    for version in ("mqttv31", "mqttv311", "mqttv5"):
        for qos in "012":
            options = ["-V", version, "-q", qos]
            reader = subscriber(port, *options, "-t", f"clients/{version}/+", "-F", "%t %p", count=2)
            publish(port, *options, "-t", f"clients/{version}/{qos}", "-m", "small")
            publish(port, *options, "-t", f"clients/{version}/large", "-s", data=large)
            expected = [f"clients/{version}/{qos} small".encode(), f"clients/{version}/large ".encode() + large]
            _server.check(received(reader) == expected, f"round trip with {version} QoS {qos}")


def order_and_window(port):
    lines = [f"{i}" for i in range(5000)]
    reader = subscriber(port, "-q", "1", "-t", "clients/order", "-F", "%p", count=len(lines))
    publish(port, "-q", "1", "-t", "clients/order", "-l", data="\n".join(lines).encode())
    _server.check([line.decode() for line in received(reader)] == lines, "5,000 QoS 1 messages in order")


def will(port):
    reader = subscriber(port, "-q", "1", "-t", "clients/will", "-F", "%p", count=1)
    victim = subscriber(port, "-t", "clients/none", "--will-topic", "clients/will", "--will-payload", "gone", "--will-qos", "1",
                        count=1)
    victim.kill()
    _server.check(received(reader) == [b"gone"], "the will of a killed client")
    victim.communicate()


def request_and_response(port):
    responder = subscriber(port, "-V", "mqttv5", "-t", "clients/request", "-F", "%R %D", count=1)
    question = ["-t", "clients/request", "-e", "clients/response", "-m", "question", "-W", "30"]
    asker = subprocess.Popen([RR, "-p", str(port), *question], stdout=subprocess.PIPE)
    topic = received(responder)[0].split(b" ")[0].decode()
    publish(port, "-V", "mqttv5", "-t", topic, "-m", "answer")
    _server.check(asker.communicate(timeout=60)[0].strip() == b"answer", "request and response")


def shared(port):
    options = ["-V", "mqttv5", "-q", "1", "-t", "$share/group/clients/shared", "-F", "%p"]
    members = [subscriber(port, *options, count=2) for _ in range(2)]
    publish(port, "-q", "1", "-t", "clients/shared", "-l", data=b"1\n2\n3\n4")
    got = sorted(line for member in members for line in received(member))
    _server.check(got == [b"1", b"2", b"3", b"4"], f"each message to one member: {got}")


def retained(port):
    for version in ("mqttv311", "mqttv5"):
        publish(port, "-V", version, "-q", "2", "-r", "-t", f"clients/retained/{version}", "-m", "kept")
        reader = subscriber(port, "-V", version, "-q", "2", "-t", "clients/retained/#", "-F", "%t %r %p", count=1)
        _server.check(received(reader) == [f"clients/retained/{version} 1 kept".encode()], f"retained with {version}")
        publish(port, "-V", version, "-r", "-t", f"clients/retained/{version}", "-n")


_server.need(PUB, SUB, RR, "stdbuf")
with mqtt_port() as at:
    for test in (round_trips, order_and_window, will, request_and_response, shared, retained):
        test(at)
        print(f"passed: {test.__name__}", flush=True)
