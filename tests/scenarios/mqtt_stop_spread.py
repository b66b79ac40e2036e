"""A planned stop with mqtt.stop.spread.ms: connections end one after the other over that time, served until then; MQTT 5 clients
are told DISCONNECT 0x8B, nobody new is let in, and the stop is clean."""
import select
import signal
import socket
import time

from _mqtt import connect_packet
from _server import CONFIG, Server, check

CLIENTS, SPREAD_S = 100, 1.5


def main():
    server = Server(config=CONFIG + f"mqtt.stop.spread.ms: {int(SPREAD_S * 1000)}\n", name="spread").start()
    address, clients, ends = ("127.0.0.1", int(server.port("mqtt"))), {}, []
    try:
        for number in range(CLIENTS):
            stream = socket.create_connection(address, timeout=20)
            stream.sendall(connect_packet(f"c{number}", level=5))
            check(stream.recv(100)[0] == 0x20, "CONNACK")
            clients[stream] = b""
        server.process.send_signal(signal.SIGTERM)
        began, last = time.monotonic(), list(clients)[-1]
        last.sendall(b"\xc0\0")
        while clients:
            ready, _, _ = select.select(list(clients), [], [], 20)
            check(ready, "a connection does not end")
            for stream in ready:
                data = stream.recv(100)
                clients[stream] += data
                if data:
                    continue
                said = clients.pop(stream)
                check(b"\xe0" in said and b"\x8b" in said, f"DISCONNECT 0x8B: {said.hex()}")
                check(stream is not last or said.startswith(b"\xd0\0"), "served until its turn")
                ends.append(time.monotonic() - began)
        check(ends[len(ends) // 4] < ends[len(ends) // 2] < ends[-1], "in turn")
        half = ends[len(ends) // 2]
        check(half >= SPREAD_S / 4 and ends[-1] >= SPREAD_S / 2, f"spread: {half:.2f} {ends[-1]:.2f}")
        check(server.process.wait(timeout=30) == 0, "clean stop")
    finally:
        server.abandon()


main()
