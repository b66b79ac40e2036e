"""EIO from a sync or a write: the process ends without a false acknowledgement, and the next start recovers everything
acknowledged.

strace makes the Nth fdatasync or pwritev of the real program fail."""
import json
import subprocess

from _crash import verify
from _mqtt import Publisher
from _server import DEADLINE_S, Server, check, need, scratch, skip


def messages(first, count):
    for sequence in range(first, first + count):
        yield sequence, "report", json.dumps({"type": "log", "device_no": "D1", "sequence": sequence}).encode()


def strace(*words):
    return ("strace", "-f", "-qq", "-o", str(scratch() / "strace.txt"), "-e", "trace=fdatasync,pwritev", *words)


def calls_until_ready(name, call):
    server = Server(name=f"count-{name}", data=scratch() / f"counted-{name}", prefix=strace())
    try:
        server.start()
    finally:
        server.abandon()
    return (scratch() / "strace.txt").read_text(errors="replace").count(f"{call}(")


def fail_at(name, call, later):
    """The call fails from the `later`th after the start on, for ever."""
    at = calls_until_ready(name, call) + later
    data = scratch() / f"data-{name}"
    server = Server(name=f"eio-{name}", data=data, prefix=strace("-e", f"inject={call}:error=EIO:when={at}+"))
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
    check("Input/output error" in with_log, f"says why it ended:\n{with_log[-2000:]}")
    verify(data)
    again = Server(name=f"again-{name}", data=data)
    try:
        again.start()
        found = [json.loads(line)["sequence"] for line in again.consume("message-log", "%s\n")]
        check(found[: len(acknowledged)] == acknowledged, f"{len(acknowledged)} acknowledged, found {found[:20]}")
        check(len(found) <= len(acknowledged) + 1, "at most the one message that was waiting is there besides")
    finally:
        again.abandon()
    print(f"{call} {later} after the start fails: {len(acknowledged)} acknowledged, {len(found)} in the log")


def main():
    need("strace", "kcat")
    if subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], check=False).returncode:
        skip("strace may not trace here")
    for later in (1, 5, 40):
        fail_at(f"sync-{later}", "fdatasync", later)
        fail_at(f"write-{later}", "pwritev", later)


main()
