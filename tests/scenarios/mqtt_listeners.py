"""Every way in for a device behind a load balancer: TCP, TLS, WebSocket and secure WebSocket, each with a PROXY header of
version 1 and 2 in front. The server names the client's own address; without the header nobody gets in."""
import base64
import json
import os
import socket
import ssl
import struct

from _certificates import Authority
from _mqtt import connect_packet
from _server import check, scratch, serving, wait_until

LISTENERS = ("mqtt", "mqtts", "ws", "wss")
SOURCE_ADDRESS = "192.0.2.77"
VERSIONS = {
    1: f"PROXY TCP4 {SOURCE_ADDRESS} 127.0.0.1 40000 8883\r\n".encode(),
    2: b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack(">H4s4sHH", 12, socket.inet_aton(SOURCE_ADDRESS),
                                                       socket.inet_aton("127.0.0.1"), 40000, 8883),
}
HANDSHAKE = ("GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
             "Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Key: {}\r\n\r\n")


def frame(payload):
    mask = os.urandom(4)
    return bytes([0x82, 0x80 | len(payload)]) + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload))


def exactly(stream, count):
    data = b""
    while len(data) < count:
        piece = stream.recv(count - len(data))
        check(piece, f"closed after {data!r}")
        data += piece
    return data


def enter(server, listener, header, trust, client_id):
    """A stream on which CONNECT was accepted."""
    stream = socket.create_connection(("127.0.0.1", int(server.port(listener))), timeout=20)
    stream.sendall(header)
    if listener in ("mqtts", "wss"):
        stream = trust.wrap_socket(stream, server_hostname="localhost")
    packet, answer = connect_packet(client_id), b"\x20\x02\0\0"
    if listener in ("ws", "wss"):
        stream.sendall(HANDSHAKE.format(base64.b64encode(os.urandom(16)).decode()).encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += exactly(stream, 1)
        check(head.startswith(b"HTTP/1.1 101 "), f"{listener}: {head!r}")
        packet, answer = frame(packet), b"\x82\x04" + answer
    stream.sendall(packet)
    check(exactly(stream, len(answer)) == answer, f"{listener}: CONNACK")
    return stream


def refused(server, listener):
    with socket.create_connection(("127.0.0.1", int(server.port(listener))), timeout=20) as stream:
        try:
            stream.sendall(connect_packet("nobody"))
            return stream.recv(100) == b""
        except ConnectionResetError:
            return True


def counted(server, listener):
    """Its own row of metrics says what enter() and refused() did."""
    def value(name, more=""):
        key = f'millrace_mqtt_listener_{name}{{listener="{listener}"{more}}} '
        found = [line for line in server.http("/metrics")[1].splitlines() if line.startswith(key)]
        check(len(found) == 1, f"{key}: {found}")
        return int(found[0].removeprefix(key))
    wait_until(lambda: value("connections") == 0 and value("refused_total", ',reason="before_connect"') == 1, listener, 10)
    seen = [value("sockets_total"), value("connects_total"), value("refused_total", ',reason="connect"')]
    check(seen == [3, 2, 0], f"{listener}: sockets, clients, refused: {seen}")
    check(value("received_bytes_total") > 20, f"{listener}: bytes received")


def main():
    ca = Authority(scratch() / "certificates")
    certificate, key = ca.server()
    trust = ssl.create_default_context(cafile=str(ca.certificate))
    config = (f"tls.certificate.file: {certificate}\ntls.key.file: {key}\nmqtt.tls.port: 0\nws.tls.port: 0\n"
              "mqtt.proxies: [127.0.0.0/8]\n")
    with serving(config=config) as server:
        for listener in LISTENERS:
            for version, header in VERSIONS.items():
                name = f"{listener}-{version}"
                stream = enter(server, listener, header, trust, name)
                status, body = server.http(f"/api/v1/mqtt/sessions/{name}")
                found = json.loads(body)
                check(status == 200 and SOURCE_ADDRESS in found["address"], f"{name}: {status} {body}")
                stream.close()
            check(refused(server, listener), f"{listener}: a connection without a header is closed")
        for listener, name in zip(LISTENERS, ("tcp", "tls", "ws", "wss")):
            counted(server, f"{name}://127.0.0.1:{server.port(listener)}")
        check(server.stop() == 0, "clean stop")


main()
