"""A full disk withholds acknowledgements, keeps connections, serves consumers, loses nothing, and goes on when there is room."""
import json
import os
import socket
import subprocess
import time

from _mqtt import Publisher, connect_packet
from _server import MILLRACE, Server, check, need, scratch, skip


def free_bytes(path):
    room = os.statvfs(path)
    return room.f_bavail * room.f_frsize


def main():
    if os.geteuid() != 0:
        skip("mounting a small file system needs root")
    need("kcat")
    disk = scratch() / "small"
    disk.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512m", "tmpfs", str(disk)], capture_output=True, text=True)
    if done.returncode:
        skip(f"no tmpfs mount here: {done.stderr.strip()}")
    server = Server(name="full", data=disk / "data")
    try:
        server.start()
        publisher = Publisher(server.port("mqtt"), "full", window=100)
        payload = "x" * 8000

        def messages(first, count, kind="log"):
            for sequence in range(first, first + count):
                message = {"type": kind, "device_no": "D1", "sequence": sequence, "payload": payload}
                yield sequence, "report", json.dumps(message).encode()

        check(publisher.publish(messages(1_000_000, 8000, "boot")), "64 MB of boot messages are acknowledged")
        check(publisher.publish(messages(0, 100)), "the first hundred are acknowledged")
        ballast = disk / "ballast"
        with open(ballast, "wb") as file:
            while room := free_bytes(disk):
                try:
                    os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, room)
                except OSError:  # the server was quicker
                    continue
        # Recycled journal files still have room; what follows is more than all of them hold.
        limit, sent = 100_000, 100
        while sent < limit:
            if not publisher.publish(messages(sent, 500), patience_s=3):
                break
            sent += 500
        check(sent < limit, "acknowledgements stop when the disk is full")
        check(server.process.poll() is None, "the process keeps running")
        check(server.http("/healthz")[0] == 200, "/healthz answers while the disk is full")
        withheld = len(publisher.waiting)
        check(withheld > 0, "messages wait for room")
        # Who is not read because its message cannot be taken has its PINGREQ answered all the same.
        silent = socket.create_connection(("127.0.0.1", int(server.port("mqtt"))), timeout=10)
        silent.sendall(connect_packet("silent", keep_alive_s=5))
        check(silent.recv(4) == b"\x20\x02\0\0", "a client connects while the disk is full")
        silent.sendall(b"\x32\x0b\0\x06report\0\1x")
        time.sleep(0.3)
        silent.sendall(b"\xc0\0")
        check(silent.recv(4) == b"\xd0\0", "PINGREQ is answered while the disk is full")
        # Whoever reads is not held up, and whoever deletes gives the room that everybody waits for.
        check(len(server.consume("message-boot", "%o\n")) == 8000, "consumers read while the disk is full")
        done = subprocess.run([MILLRACE, "topics", "delete", "message-boot", "--kafka", server.ports["kafka"]],
                              capture_output=True, text=True, timeout=60)
        check(done.returncode == 0, f"a topic is deleted while the disk is full: {done.stdout}{done.stderr}")
        came = publisher.acknowledged_within(60)
        check(came >= withheld, f"{came} of {withheld} withheld acknowledgements came when there was room")
        ballast.unlink()
        check(publisher.publish(messages(sent + 500, 100)), "and all goes on")
        found = [json.loads(line)["sequence"] for line in server.consume("message-log", "%s\n")]
        check(found == sorted(set(found)), "order, each once")
        acknowledged = {number for number in publisher.acknowledged if number < 1_000_000}
        check(acknowledged <= set(found), "everything acknowledged is there")
        publisher.close()
        check(server.stop() == 0, "clean stop")
    finally:
        server.abandon()
        subprocess.run(["umount", str(disk)], check=False)


main()
