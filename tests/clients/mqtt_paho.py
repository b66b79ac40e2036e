#!/usr/bin/env python3
"""Paho's Python client: every version and QoS, MQTT 5 properties, take-over, exactly once, wills, reason codes."""
import queue
import sys

from _broker import _server, mqtt_port, python_package

paho = python_package("paho-mqtt==2.1.0", "paho.mqtt.client")
from paho.mqtt.packettypes import PacketTypes  # noqa: E402
from paho.mqtt.properties import Properties  # noqa: E402
from paho.mqtt.subscribeoptions import SubscribeOptions  # noqa: E402

WAIT_S = 30
VERSIONS = {"3.1": paho.MQTTv31, "3.1.1": paho.MQTTv311, "5": paho.MQTTv5}


class Client:
    """A paho client whose callbacks become events in queues."""

    def __init__(self, port, name, version="5", clean=True, will=None, expiry=None, **options):
        five = version == "5"
        arguments = {} if five else {"clean_session": clean}
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=name, protocol=VERSIONS[version],
                                  reconnect_on_failure=False, **arguments)
        self.connected, self.messages, self.acked, self.subscribed, self.gone = (queue.Queue() for _ in range(5))
        self.client.on_connect = lambda _c, _u, flags, reason, properties: self.connected.put((flags, reason, properties))
        self.client.on_message = lambda _c, _u, message: self.messages.put(message)
        self.client.on_publish = lambda _c, _u, mid, reason, _p: self.acked.put((mid, reason))
        self.client.on_subscribe = lambda _c, _u, mid, reasons, _p: self.subscribed.put(reasons)
        self.client.on_disconnect = lambda _c, _u, _f, reason, _p: self.gone.put(reason)
        if will:
            self.client.will_set(*will)
        if five:
            properties = Properties(PacketTypes.CONNECT)
            if expiry is not None:
                properties.SessionExpiryInterval = expiry
            options |= {"clean_start": clean, "properties": properties}
        self.client.connect("127.0.0.1", port, **options)
        self.client.loop_start()
        self.flags, self.reason, self.properties = self.connected.get(timeout=WAIT_S)
        _server.check(not self.reason.is_failure, f"{name} is let in: {self.reason}")

    def subscribe(self, *arguments, **options):
        self.client.subscribe(*arguments, **options)
        return self.subscribed.get(timeout=WAIT_S)

    def publish(self, topic, payload, qos=1, **options):
        info = self.client.publish(topic, payload, qos, **options)
        info.wait_for_publish(WAIT_S)
        return self.acked.get(timeout=WAIT_S)[1]

    def next(self):
        return self.messages.get(timeout=WAIT_S)

    def end(self):
        self.client.disconnect()
        self.client.loop_stop()

    def break_off(self):
        """The network connection ends without DISCONNECT."""
        self.client.loop_stop()
        self.client._sock_close()


def round_trips(port):
    large = bytes(range(256)) * 800
    for version in VERSIONS:
        reader, writer = Client(port, "reader", version), Client(port, "writer", version)
        for qos in (0, 1, 2):
            granted = reader.subscribe(f"paho/{qos}/#", qos)
            _server.check(granted[0].value == qos, f"granted QoS {granted[0]} for {qos}")
            for payload in (b"", b"small", large):
                writer.publish(f"paho/{qos}/x", payload, qos)
                message = reader.next()
                _server.check((message.topic, message.payload, message.qos) == (f"paho/{qos}/x", payload, qos),
                              f"round trip MQTT {version} QoS {qos}, {len(payload)} bytes")
        reader.end()
        writer.end()


def properties(port):
    reader, writer = Client(port, "reader"), Client(port, "writer")
    options = Properties(PacketTypes.SUBSCRIBE)
    options.SubscriptionIdentifier = 42
    reader.subscribe("paho/p", options=SubscribeOptions(qos=1), properties=options)
    sent = Properties(PacketTypes.PUBLISH)
    sent.ContentType, sent.ResponseTopic, sent.CorrelationData = "application/json", "paho/answer", b"\x00\xff"
    sent.MessageExpiryInterval, sent.PayloadFormatIndicator = 60, 1
    sent.UserProperty = [("k", "1"), ("a", "2"), ("k", "3")]
    writer.publish("paho/p", "{}", properties=sent)
    got = reader.next().properties
    _server.check(got.UserProperty == [("k", "1"), ("a", "2"), ("k", "3")], "user properties in their order")
    _server.check((got.ContentType, got.ResponseTopic, got.CorrelationData) == ("application/json", "paho/answer", b"\x00\xff"),
                  "content type, response topic, correlation data")
    _server.check(got.MessageExpiryInterval <= 60 and got.PayloadFormatIndicator == 1, "expiry and payload format")
    _server.check(got.SubscriptionIdentifier == [42], "subscription identifier")
    reader.end()
    writer.end()


def topic_aliases(port):
    reader, writer = Client(port, "reader"), Client(port, "writer")
    _server.check(writer.properties.TopicAliasMaximum >= 1, "topic aliases are offered")
    reader.subscribe("paho/alias", 1)
    for topic in ("paho/alias", ""):
        alias = Properties(PacketTypes.PUBLISH)
        alias.TopicAlias = 1
        writer.publish(topic, topic or "by alias", properties=alias)
    _server.check([reader.next().payload for _ in range(2)] == [b"paho/alias", b"by alias"], "a topic by its alias")
    reader.end()
    writer.end()


def reasons(port):
    client = Client(port, "client")
    _server.check(client.publish("paho/nobody", "x").value == 0x10, "no matching subscribers")
    shared = client.subscribe("$share/group/x", 1)
    _server.check(shared[0].value == 1, f"shared subscription: {shared[0]}")
    client.subscribe("paho/nobody", 1)
    _server.check(client.publish("paho/nobody", "x").value == 0, "a matching subscriber")
    client.end()


def take_over(port):
    older = Client(port, "same", expiry=600)
    older.subscribe("paho/taken", 1)
    newer = Client(port, "same", clean=False, expiry=600)
    _server.check(older.gone.get(timeout=WAIT_S).getName() == "Session taken over", "the older connection is told")
    _server.check(newer.flags.session_present, "the session is present")
    newer.publish("paho/taken", "mine")
    _server.check(newer.next().payload == b"mine", "the subscription moved along")
    older.client.loop_stop()
    newer.end()


def exactly_once(port):
    reader = Client(port, "reader")
    reader.subscribe("paho/once", 1)
    for version in ("3.1.1", "5"):
        device = Client(port, f"device-{version}", version, clean=False, expiry=600)
        for i in range(200):
            device.client.publish("paho/once", str(i), 2)
        device.break_off()  # with any number of the four steps done for each
        device.client.on_message = None
        device.client.reconnect()
        device.client.loop_start()
        flags, _, _ = device.connected.get(timeout=WAIT_S)
        device.publish("paho/once", "last", 2)
        seen = []
        while not seen or seen[-1] != "last":
            seen.append(reader.next().payload.decode())
        numbers = [int(text) for text in seen[:-1]]
        _server.check(sorted(numbers) == list(range(200)),
                      f"each once with MQTT {version}, session present {flags.session_present}")
        device.end()
    reader.end()


def wills(port):
    reader = Client(port, "reader")
    reader.subscribe("paho/will", 1)
    for version in VERSIONS:
        Client(port, "victim", version, will=("paho/will", version, 1)).break_off()
        _server.check(reader.next().payload == version.encode(), f"will of an MQTT {version} client")
        Client(port, "polite", version, will=("paho/will", "never", 1)).end()
    reader.publish("paho/will", "end")
    _server.check(reader.next().payload == b"end", "no will after DISCONNECT")
    reader.end()


def keep_alive(port):
    client = Client(port, "idle", keepalive=1)
    _server.check(client.gone.empty(), "connected")
    try:
        client.gone.get(timeout=5)
        _server.check(False, "a client that pings was disconnected")
    except queue.Empty:
        pass
    client.end()


def assigned_identifier(port):
    client = Client(port, "")
    _server.check(client.properties.AssignedClientIdentifier != "", "an identifier is assigned")
    client.end()


with mqtt_port() as at:
    for test in (round_trips, properties, topic_aliases, reasons, take_over, exactly_once, wills, keep_alive,
                 assigned_identifier):
        test(at)
        print(f"passed: {test.__name__}", flush=True)
sys.exit(0)
