"""Malformed bytes close that connection and are counted; claimed lengths cost nothing; the others go on."""
import os
import socket
import struct

from _mqtt import connect_packet
from _server import check, need, serving

MIB = 1 << 20


def talk(address, data):
    """Sends and reads until the server closes; what it said. A server that does not close fails the test."""
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        said = b""
        try:
            connection.sendall(data)
            while piece := connection.recv(4096):
                said += piece
        except ConnectionResetError:
            pass
        except TimeoutError:
            check(False, f"the connection stays open after {data[:20]!r}")
        return said


def resident_bytes(process):
    with open(f"/proc/{process.pid}/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main():
    need("mosquitto_pub", "kcat")
    connect = connect_packet("hostile")
    mqtt_cases = {
        "not MQTT": b"GET / HTTP/1.1\r\n\r\n",
        "reserved packet type": b"\x00\x00",
        "publish before connect": b"\x30\x05\x00\x01ahi",
        "wrong protocol name": b"\x10\x0c\x00\x04NOPE\x04\x02\x00\x00\x00\x00",
        "remaining length of five bytes": connect + b"\x30\xff\xff\xff\xff\x01",
        "topic longer than the packet": connect + b"\x30\x04\xff\xffab",
        "second connect": connect + connect,
        "wildcard in a topic name": connect + b"\x30\x05\x00\x03a/#",
        "QoS 3": connect + b"\x36\x06\x00\x01a\x00\x01x",
        "topic that is not UTF-8": connect + b"\x30\x04\x00\x02\xc3\x28",
    }
    kafka_cases = {
        "negative size": struct.pack(">i", -1),
        "size of 2 GiB": struct.pack(">i", 0x7FFFFFFF) + b"x" * 100,
        "smaller than a header": struct.pack(">i", 2) + b"\0\0",
        "unknown API": struct.pack(">ihhih", 10, 9999, 0, 1, -1),
        "not Kafka": b"GET / HTTP/1.1\r\n\r\n",
    }
    with serving() as server:
        for what, data in mqtt_cases.items():
            talk(server.ports["mqtt"], data)
        for what, data in kafka_cases.items():
            talk(server.ports["kafka"], data)
        check(server.process.poll() is None, "still running")

        # Two hundred connections claim 200 MiB each and send a little of it.
        before, open_connections = resident_bytes(server.process), []
        for number in range(200):
            connection = socket.create_connection(("127.0.0.1", int(server.port("mqtt"))), timeout=20)
            connection.sendall(connect_packet(f"claim-{number}") + b"\x30\x80\x80\x80\x64" + b"\x00\x01a" + b"x" * 1000)
            check(len(connection.recv(4)) > 0, "accepted")
            open_connections.append(connection)
        server.publish(['{"type":"log","device_no":"T-1"}'])
        check(server.consume("message-log", "%k\n") == ["T-1"], "a good client is served beside them")
        grown = resident_bytes(server.process) - before
        check(grown < 64 * MIB, f"claims alone cost {grown / MIB:.0f} MiB")
        for connection in open_connections:
            connection.close()
        check(server.stop() == 0, "clean stop")


main()
