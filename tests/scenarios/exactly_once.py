"""QoS 2 over kill -9: a message whose PUBREC arrived, and one whose PUBREC was lost, are each in the log exactly once."""
import json
import socket
import struct

from _mqtt import connect_packet
from _server import Server, check, need


def field(text):
    return struct.pack(">H", len(text)) + text.encode()


def packet(kind, body):
    assert len(body) < 16384
    head = [kind, len(body) % 128 | (128 if len(body) > 127 else 0)] + ([len(body) // 128] if len(body) > 127 else [])
    return bytes(head) + body


class Client:
    """A persistent session (clean session 0) that sends QoS 2 packets one by one."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", int(port)), timeout=30)
        self.socket.sendall(connect_packet("exactly", clean=False))
        check(self.receive()[0] == 0x20, "CONNACK")

    def receive(self):
        data = b""
        while len(data) < 4:
            piece = self.socket.recv(4 - len(data))
            check(bool(piece), "the connection stays")
            data += piece
        return data[0], struct.unpack(">H", data[2:4])[0]

    def publish(self, packet_id, number, again=False):
        body = json.dumps({"type": "log", "device_no": "Q2", "sequence": number}).encode()
        self.socket.sendall(packet(0x3C if again else 0x34, field("report") + struct.pack(">H", packet_id) + body))

    def received(self, packet_id):
        check(self.receive() == (0x50, packet_id), f"PUBREC {packet_id}")

    def release(self, packet_id):
        self.socket.sendall(packet(0x62, struct.pack(">H", packet_id)))

    def completed(self, packet_id):
        check(self.receive() == (0x70, packet_id), f"PUBCOMP {packet_id}")


def main():
    need("kcat")
    server = Server().start()
    count = 0
    try:
        for life in range(5):
            client = Client(server.port("mqtt"))
            first, second, third = count, count + 1, count + 2
            client.publish(1, first)
            client.received(1)
            client.release(1)
            client.completed(1)
            client.publish(2, second)  # PUBREC comes, PUBREL does not leave any more
            client.received(2)
            client.publish(3, third)   # its PUBREC may or may not have left when the server dies
            server.kill()
            server.start()
            client = Client(server.port("mqtt"))
            client.publish(2, second, again=True)
            client.received(2)
            client.publish(3, third, again=True)
            client.received(3)
            for packet_id in (2, 3):
                client.release(packet_id)
                client.completed(packet_id)
            # The id is free again: a new message under it is a new message.
            client.publish(2, count + 3)
            client.received(2)
            client.release(2)
            client.completed(2)
            count += 4
            found = sorted(json.loads(line.split("\t", 3)[3])["sequence"] for line in server.consume("message-log"))
            check(found == list(range(count)), f"life {life}: {found}")
    finally:
        server.abandon()


main()
