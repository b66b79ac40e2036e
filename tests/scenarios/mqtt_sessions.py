"""Persistent sessions over kill -9 of the server: every acknowledged QoS 1 message reaches its absent reader, QoS 2 exactly once,
subscriptions survive, and what nobody waits for any more is deleted."""
import collections
import subprocess

from _server import CONFIG, Server, check, need

ROUNDS, COUNT = 5, 200


def subscribe(server, client, qos, *options):
    """Makes the session and its subscription, and leaves."""
    done = subprocess.run(["mosquitto_sub", "-p", server.port("mqtt"), "-i", client, "-c", "-q", str(qos), "-E", *options],
                          capture_output=True, text=True, timeout=60)
    check(done.returncode == 0, f"{client} subscribes: {done.stderr}")


def drain(server, client, qos, count, *options):
    """What the session gives its client, up to `count` messages."""
    done = subprocess.run(["mosquitto_sub", "-p", server.port("mqtt"), "-i", client, "-c", "-q", str(qos), "-W", "5", "-C",
                           str(count), "-F", "%p", *options], capture_output=True, text=True, timeout=60)
    return done.stdout.split()


def main():
    need("mosquitto_pub", "mosquitto_sub")
    server = Server(config=CONFIG + "mqtt.session.expiry.max.ms: 1h\n", name="sessions")
    try:
        server.start()
        filters = ["-t", "wait/#"]
        for client, qos in (("one", 1), ("two", 2), ("idle", 1)):
            subscribe(server, client, qos, *(filters if client != "idle" else ["-t", "elsewhere"]))
        sent = 0
        for _ in range(ROUNDS):
            server.publish([str(sent + i) for i in range(COUNT)], topic="wait/1", qos=1)
            server.publish([str(sent + COUNT + i) for i in range(COUNT)], topic="wait/2", qos=2)
            sent += 2 * COUNT
            server.kill()
            server.start()
        for client, qos in (("one", 1), ("two", 2)):
            got = []
            if qos == 1:  # interrupted in the middle, too; mosquitto_sub keeps no QoS 2 state over its own end
                got = drain(server, client, qos, sent // 2, *filters)
                server.kill()
                server.start()
            got += drain(server, client, qos, sent * 2, *filters)
            times = collections.Counter(map(int, got))
            check(set(times) == set(range(sent)), f"{client}: {sent - len(times)} of {sent} are missing")
            twice = sum(count > 1 for count in times.values())
            check(qos == 1 or twice == 0, f"{client}: {twice} came twice")
            print(f"{client}: {len(got)} received, {len(times)} of {sent} messages, {twice} twice")
        check(server.stop() == 0, "clean stop")
    finally:
        server.abandon()


main()
