#!/usr/bin/env python3
"""Paho's Python client over WebSocket: every version and QoS, 200 KB, and a neighbour over TCP."""
import queue

from _broker import _server, python_package

paho = python_package("paho-mqtt==2.1.0", "paho.mqtt.client")
WAIT_S = 30


def connect(port, name, version, transport):
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=name, protocol=version, transport=transport)
    client.events, client.got = queue.Queue(), queue.Queue()
    client.on_connect = lambda *_: client.events.put("connected")
    client.on_subscribe = lambda *_: client.events.put("subscribed")
    client.on_publish = lambda *_: client.events.put("published")
    client.on_message = lambda _c, _u, message: client.got.put((message.topic, message.qos, message.payload))
    client.connect("127.0.0.1", port)
    client.loop_start()
    _server.check(client.events.get(timeout=WAIT_S) == "connected", f"{name} over {transport}")
    return client


with _server.serving() as server:
    tcp, ws = int(server.port("mqtt")), int(server.port("ws"))
    for version in (paho.MQTTv31, paho.MQTTv311, paho.MQTTv5):
        reader = connect(ws, f"reader{version}", version, "websockets")
        reader.subscribe("ws/#", 2)
        reader.events.get(timeout=WAIT_S)
        for port, transport in ((ws, "websockets"), (tcp, "tcp")):
            writer = connect(port, f"writer{version}{transport}", version, transport)
            for qos in (0, 1, 2):
                for payload in (b"small", b"L" * 200_000):
                    writer.publish(f"ws/{qos}", payload, qos)
                    writer.events.get(timeout=WAIT_S)
                    _server.check(reader.got.get(timeout=WAIT_S) == (f"ws/{qos}", qos, payload), f"{transport} QoS {qos}")
            writer.disconnect()
            writer.loop_stop()
        reader.disconnect()
        reader.loop_stop()
        print(f"passed: protocol level {int(version)}", flush=True)
    _server.check(server.stop() == 0, "clean stop")
