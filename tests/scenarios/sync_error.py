"""EIO from a sync: the process ends without a false acknowledgement, and the next start recovers everything acknowledged.

strace makes the Nth fdatasync of the real program fail."""
import json
import subprocess

from _mqtt import Publisher
from _server import DEADLINE_S, Server, check, need, scratch, skip


def messages(first, count):
    for sequence in range(first, first + count):
        yield sequence, "report", json.dumps({"type": "log", "device_no": "D1", "sequence": sequence}).encode()


def strace(*words):
    return ("strace", "-f", "-qq", "-o", str(scratch() / "strace.txt"), "-e", "trace=fdatasync", *words)


def syncs_until_ready():
    server = Server(name="count", data=scratch() / "counted", prefix=strace())
    try:
        server.start()
    finally:
        server.abandon()
    return (scratch() / "strace.txt").read_text(errors="replace").count("fdatasync(")


def main():
    need("strace", "kcat")
    if subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], check=False).returncode:
        skip("strace may not trace here")
    at = syncs_until_ready() + 5
    server = Server(name="eio", prefix=strace("-e", f"inject=fdatasync:error=EIO:when={at}+"))
    acknowledged = []
    try:
        server.start()
        publisher = Publisher(server.port("mqtt"), "eio", window=1)
        check(not publisher.publish(messages(0, 1000)), "the connection ends: nothing is acknowledged after a failed sync")
        acknowledged = publisher.acknowledged
        publisher.close()
        status = server.process.wait(timeout=DEADLINE_S)
        check(status != 0, f"the process ends with an error after a failed sync, not {status}")
    finally:
        server.abandon()
    with_log = server.log.read_text(errors="replace")
    check("sync" in with_log, f"says why it ended:\n{with_log[-2000:]}")
    again = Server(name="again")
    try:
        again.start()
        found = [json.loads(line)["sequence"] for line in again.consume("message-log", "%s\n")]
        check(found[: len(acknowledged)] == acknowledged, f"{len(acknowledged)} acknowledged, found {found[:20]}")
        check(len(found) <= len(acknowledged) + 1, "at most the one message that was waiting is there besides")
    finally:
        again.abandon()


main()
