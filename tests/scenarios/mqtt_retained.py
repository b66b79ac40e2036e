"""Retained messages over kill -9: what was acknowledged is there again, cleared ones stay away, expired ones too; wildcards and
$SYS for a real client."""
import subprocess

from _server import Server, check, need, wait_until


def publish(server, *options):
    done = subprocess.run(["mosquitto_pub", "-V", "mqttv5", "-p", server.port("mqtt"), "-q", "1", "-r", *options],
                          capture_output=True, text=True, timeout=60)
    check(done.returncode == 0, f"mosquitto_pub {options}: {done.stderr}")


def retained(server, *filters, count=None):
    """What a new subscriber is given: a sorted list of "topic payload"."""
    words = [word for name in filters for word in ("-t", name)]
    limit = ["-C", str(count)] if count else []
    done = subprocess.run(["mosquitto_sub", "-V", "mqttv5", "-p", server.port("mqtt"), "-q", "1", "-W", "2", "--retained-only",
                           "-F", "%t %p", *limit, *words], capture_output=True, text=True, timeout=60)
    return sorted(done.stdout.splitlines())


def main():
    need("mosquitto_pub", "mosquitto_sub")
    server = Server(name="retained")
    try:
        server.start()
        for i in range(20):
            publish(server, "-t", f"line/{i:02}/state", "-m", f"old-{i}")
            publish(server, "-t", f"line/{i:02}/state", "-m", f"new-{i}")
        for i in range(0, 20, 2):
            publish(server, "-t", f"line/{i:02}/state", "-n")
        publish(server, "-t", "short/lived", "-m", "x", "-D", "publish", "message-expiry-interval", "1")
        publish(server, "-t", "long/lived", "-m", "x", "-D", "publish", "message-expiry-interval", "3600")
        expected = [f"line/{i:02}/state new-{i}" for i in range(1, 20, 2)]
        check(retained(server, "line/+/state", count=10) == expected, "before the kill")
        for cycle in range(3):
            server.kill()
            server.start()
            check(retained(server, "line/#", count=10) == expected, f"after kill {cycle}")
        wait_until(lambda: retained(server, "short/#", "long/#") == ["long/lived x"], "what has expired is gone")
        check(retained(server, "$SYS/broker/version", count=1)[0].startswith("$SYS/broker/version millrace"), "$SYS")
        check(server.stop() == 0, "clean stop")
    finally:
        server.abandon()


main()
