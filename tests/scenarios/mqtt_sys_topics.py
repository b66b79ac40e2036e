"""$SYS as Mosquitto 2.0 names it: every topic of its that makes sense here is there, and what counts has counted."""
import subprocess
import time

from _server import check, need, serving

# Of Mosquitto's own: bytes/sent, load/bytes/sent and heap/... are not here (docs/mqtt.md).
NAMES = ["version", "uptime", "clients/total", "clients/inactive", "clients/disconnected", "clients/active", "clients/connected",
         "clients/expired", "clients/maximum", "messages/stored", "messages/received", "messages/sent", "store/messages/count",
         "store/messages/bytes", "subscriptions/count", "shared_subscriptions/count", "retained messages/count",
         "publish/messages/dropped", "publish/messages/received", "publish/messages/sent", "publish/bytes/received",
         "publish/bytes/sent", "bytes/received"]
LOADS = ["messages/received", "messages/sent", "publish/dropped", "publish/received", "publish/sent", "bytes/received", "sockets",
         "connections"]


def read(server):
    done = subprocess.run(["mosquitto_sub", "-p", server.port("mqtt"), "-t", "$SYS/broker/#", "-F", "%t=%p", "-W", "1"],
                          capture_output=True, text=True, timeout=30, check=False)
    return dict(line.removeprefix("$SYS/broker/").split("=", 1) for line in done.stdout.splitlines())


def main():
    need("mosquitto_pub", "mosquitto_sub")
    with serving(config="mqtt.sys.interval.ms: 1000\ntopics: [{name: unused, partitions: 1}]\n") as server:
        server.publish(["12345"] * 10, topic="sys/test")
        deadline = time.monotonic() + 20
        while (found := read(server)).get("publish/messages/received") != "10":
            check(time.monotonic() < deadline, f"ten messages are counted: {found}")
        missing = [n for n in NAMES + [f"load/{n}/{m}min" for n in LOADS for m in (1, 5, 15)] if n not in found]
        check(not missing, f"not there: {missing}")
        check(found["publish/bytes/received"] == "50", f"payload bytes: {found['publish/bytes/received']}")
        # CONNECT, ten PUBLISH, DISCONNECT; CONNACK, ten PUBACK: and what the readers said.
        check(int(found["messages/received"]) >= 12 and int(found["messages/sent"]) >= 11, f"packets: {found}")
        check(float(found["load/sockets/1min"]) > 0, "sockets")
        check(server.stop() == 0, "clean stop")


main()
