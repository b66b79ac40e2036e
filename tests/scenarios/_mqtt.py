"""A small MQTT 3.1.1 publisher that remembers what was acknowledged: the journal kept by a process that is not killed."""
import select
import socket
import struct
import time


def _field(text):
    data = text.encode() if isinstance(text, str) else text
    return struct.pack(">H", len(data)) + data


def _packet(kind, body):
    length, head = len(body), bytearray([kind])
    while True:
        head.append((length & 0x7F) | (0x80 if length > 0x7F else 0))
        length >>= 7
        if not length:
            return bytes(head) + body


def connect_packet(client_id, clean=True, keep_alive_s=0, level=4):
    properties = b"\0" if level == 5 else b""
    return _packet(0x10, _field("MQTT") + bytes([level, 2 if clean else 0]) + struct.pack(">H", keep_alive_s) + properties
                   + _field(client_id))


class Publisher:
    """Keeps up to `window` QoS 1 messages unacknowledged. `acknowledged` holds the sequence numbers the server vouched for."""

    def __init__(self, port, client_id, window=200):
        self.socket = socket.create_connection(("127.0.0.1", int(port)), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.window, self.waiting, self.acknowledged, self.input, self.next_id = window, {}, [], b"", 0
        self.output = bytearray()
        self.socket.sendall(connect_packet(client_id))
        if self._receive_exactly(4) != b"\x20\x02\x00\x00":
            raise ConnectionError("not accepted")
        self.socket.setblocking(False)

    def _receive_exactly(self, count):
        data = b""
        while len(data) < count:
            piece = self.socket.recv(count - len(data))
            if not piece:
                raise ConnectionError("closed")
            data += piece
        return data

    def publish(self, messages, patience_s=30):
        """Sends (sequence, topic, payload) in order until all are acknowledged, the connection ends, or nothing moves for
        `patience_s`. True when everything was acknowledged."""
        source, more = iter(messages), True
        try:
            while True:
                while more and len(self.waiting) < self.window and len(self.output) < 65536:
                    message = next(source, None)
                    if message is None:
                        more = False
                        break
                    sequence, topic, payload = message
                    self.next_id = self.next_id % 65535 + 1
                    self.waiting[self.next_id] = sequence
                    self.output += _packet(0x32, _field(topic) + struct.pack(">H", self.next_id) + payload)
                if not self.output and not self.waiting:
                    return True
                if not self._turn(patience_s):
                    return False
        except OSError:
            return False

    def _turn(self, patience_s):
        """One step of sending and receiving; False when nothing moved or the connection ended."""
        readable, writable, _ = select.select([self.socket], [self.socket] if self.output else [], [], patience_s)
        if writable:
            del self.output[:self.socket.send(self.output)]
        return (bool(writable) or bool(readable)) and (not readable or self._take_acknowledgements())

    def _take_acknowledgements(self):
        piece = self.socket.recv(65536)
        self.input += piece
        whole = len(self.input) // 4 * 4
        for kind, length, packet_id in struct.iter_unpack(">BBH", self.input[:whole]):
            if (kind, length) != (0x40, 2):
                raise ConnectionError(f"unexpected packet {kind:#x}")
            self.acknowledged.append(self.waiting.pop(packet_id))
        self.input = self.input[whole:]
        return bool(piece)

    def acknowledged_within(self, seconds):
        """Waits for acknowledgements of what was handed over before; how many came."""
        before, deadline = len(self.acknowledged), time.monotonic() + seconds
        while self.waiting and (left := deadline - time.monotonic()) > 0:
            if not self._turn(left):
                break
        return len(self.acknowledged) - before

    def close(self):
        self.socket.close()
