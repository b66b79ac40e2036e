"""Paho's Python client for mqtt_matrix.py (README.md)."""
import os
import queue
from urllib.parse import urlparse

import paho.mqtt.client as paho
from _words import WAIT_S, encode, decode, say, serve
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties


class Client:
    def connect(self, url, level, name, clean, *will):
        at, five, self.done = urlparse(url), level == "5", queue.Queue()
        options = {} if five else {"clean_session": clean == "1"}
        client = self.client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=name, protocol=int(level),
                                           transport="websockets" if at.scheme.startswith("ws") else "tcp", **options)
        if at.scheme in ("mqtts", "wss"):
            client.tls_set(os.environ["CAFILE"])
        if will:
            client.will_set(will[0], encode(will[1]), 1)
        client.on_connect = lambda _c, _u, _f, reason, _p: self.done.put(f"error {reason}" if reason.is_failure else "connected")
        client.on_subscribe = lambda _c, _u, _m, reasons, _p: self.done.put(f"error {reasons}" if reasons[0].is_failure
                                                                           else "subscribed")
        client.on_message = lambda _c, _u, m: say("message", m.topic, m.qos, int(m.retain), decode(m.payload))
        if five:
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = 0 if clean == "1" else 3600
            options |= {"clean_start": clean == "1", "properties": properties}
        client.connect(at.hostname, at.port, **(options if five else {}))
        client.loop_start()
        say(self.done.get(timeout=WAIT_S))

    def subscribe(self, topic_filter, qos):
        self.client.subscribe(topic_filter, int(qos))
        say(self.done.get(timeout=WAIT_S))

    def publish(self, topic, qos, retain, payload):
        info = self.client.publish(topic, encode(payload), int(qos), retain == "1")
        info.wait_for_publish(WAIT_S)
        say("published" if info.is_published() else "error not published")

    def disconnect(self):
        self.client.disconnect()
        self.client.loop_stop()
        say("disconnected")


serve(Client())
