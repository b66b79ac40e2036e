"""The AWS device SDK's client (awscrt) for mqtt_matrix.py (README.md): its 3.1.1 client and its MQTT 5 client."""
import os
import threading
from concurrent.futures import Future
from urllib.parse import urlparse

from _words import WAIT_S, encode, decode, say, serve
from awscrt import io, mqtt, mqtt5


def as_is(transform_args, **_more):
    transform_args.set_done()


def tls_context():
    options = io.TlsContextOptions()
    options.override_default_trust_store_from_path(ca_filepath=os.environ["CAFILE"])
    return io.ClientTlsContext(options)


class Three:
    def __init__(self, at, name, clean, will):
        secure = at.scheme in ("mqtts", "wss")
        self.connection = mqtt.Connection(
            mqtt.Client(None, tls_context() if secure else None), at.hostname, at.port, name, clean_session=clean,
            use_websockets=at.scheme.startswith("ws"), websocket_handshake_transform=as_is,
            will=mqtt.Will(will[0], mqtt.QoS.AT_LEAST_ONCE, encode(will[1]), False) if will else None)
        self.connection.on_message(lambda topic, payload, dup, qos, retain, **_: say("message", topic, int(qos), int(retain),
                                                                                     decode(payload)))
        self.connection.connect().result(WAIT_S)

    def subscribe(self, topic_filter, qos):
        self.connection.subscribe(topic_filter, mqtt.QoS(qos))[0].result(WAIT_S)

    def publish(self, topic, qos, retain, payload):
        self.connection.publish(topic, payload, mqtt.QoS(qos), retain)[0].result(WAIT_S)

    def disconnect(self):
        self.connection.disconnect().result(WAIT_S)


class Five:
    def __init__(self, at, name, clean, will):
        connected, self.stopped = Future(), threading.Event()
        secure, web = at.scheme in ("mqtts", "wss"), at.scheme.startswith("ws")
        behaviour = mqtt5.ClientSessionBehaviorType
        self.client = mqtt5.Client(mqtt5.ClientOptions(
            host_name=at.hostname, port=at.port, tls_ctx=tls_context() if secure else None,
            websocket_handshake_transform=as_is if web else None,
            session_behavior=behaviour.CLEAN if clean else behaviour.REJOIN_ALWAYS,
            connect_options=mqtt5.ConnectPacket(
                client_id=name, session_expiry_interval_sec=0 if clean else 3600,
                will=mqtt5.PublishPacket(topic=will[0], payload=encode(will[1]), qos=mqtt5.QoS.AT_LEAST_ONCE) if will else None),
            on_publish_callback_fn=self.heard,
            on_lifecycle_event_connection_success_fn=lambda data: connected.done() or connected.set_result(True),
            on_lifecycle_event_connection_failure_fn=lambda data: connected.done() or connected.set_exception(data.exception),
            on_lifecycle_event_stopped_fn=lambda data: self.stopped.set()))
        self.client.start()
        connected.result(WAIT_S)

    def heard(self, data):
        packet = data.publish_packet
        say("message", packet.topic, int(packet.qos), int(packet.retain), decode(packet.payload or b""))

    def subscribe(self, topic_filter, qos):
        packet = mqtt5.SubscribePacket([mqtt5.Subscription(topic_filter, mqtt5.QoS(qos))])
        self.client.subscribe(packet).result(WAIT_S)

    def publish(self, topic, qos, retain, payload):
        packet = mqtt5.PublishPacket(topic=topic, payload=payload, qos=mqtt5.QoS(qos), retain=retain)
        self.client.publish(packet).result(WAIT_S)

    def disconnect(self):
        self.client.stop(mqtt5.DisconnectPacket())
        self.stopped.wait(WAIT_S)


class Program:
    def connect(self, url, level, name, clean, *will):
        self.client = (Five if level == "5" else Three)(urlparse(url), name, clean == "1", will)
        say("connected")

    def subscribe(self, topic_filter, qos):
        self.client.subscribe(topic_filter, int(qos))
        say("subscribed")

    def publish(self, topic, qos, retain, payload):
        self.client.publish(topic, int(qos), retain == "1", encode(payload))
        say("published")

    def disconnect(self):
        self.client.disconnect()
        say("disconnected")


serve(Program())
os._exit(0)  # the library's threads would go on
