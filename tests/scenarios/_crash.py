"""What the crash scenarios share: a fleet of publishers that runs until the server dies, and the check of what survived."""
import json
import subprocess
import threading

from _mqtt import Publisher
from _server import MILLRACE, check

DEVICES = 4
TOPIC = "message-log"


def verify(data):
    """The offline check of a data directory that nobody has open: every byte of it, and nothing may be damaged."""
    done = subprocess.run([MILLRACE, "verify", str(data), "--deep"], capture_output=True, text=True, timeout=60)
    check(done.returncode == 0, f"millrace verify --deep: {done.stdout[-2000:]}{done.stderr[-2000:]}")


class Fleet:
    """`DEVICES` devices, each with a sequence of its own. acknowledged[d] is the journal of device d."""

    def __init__(self):
        self.sent = [0] * DEVICES
        self.acknowledged = [set() for _ in range(DEVICES)]

    def run_until_dead(self, server, enough, strike):
        """Publishes until `strike()` has ended the server; strikes when `enough` messages are acknowledged."""
        publishers = [Publisher(server.port("mqtt"), f"crash-{d}") for d in range(DEVICES)]
        threads = [threading.Thread(target=self._publish, args=(d, p)) for d, p in enumerate(publishers)]
        for thread in threads:
            thread.start()
        before = sum(map(len, self.acknowledged))
        while sum(map(len, self.acknowledged)) + sum(len(p.acknowledged) for p in publishers) < before + enough:
            if not any(thread.is_alive() for thread in threads):
                check(False, "all publishers ended before the blow")
            threads[0].join(timeout=0.001)
        strike()
        for thread in threads:
            thread.join(timeout=60)
            check(not thread.is_alive(), "a publisher hangs although the server is gone")
        for device, publisher in enumerate(publishers):
            self.acknowledged[device].update(publisher.acknowledged)
            publisher.close()

    def _publish(self, device, publisher):
        def messages():
            while True:
                sequence = self.sent[device]
                self.sent[device] += 1
                yield sequence, "report", json.dumps({"type": "log", "device_no": f"D{device}", "sequence": sequence}).encode()

        publisher.publish(messages())

    def check_survivors(self, server):
        """Everything acknowledged is there; nothing twice; per device in the order sent; offsets without a gap."""
        found, next_offset = [[] for _ in range(DEVICES)], {}
        for line in server.consume(TOPIC):
            partition, offset, key, value = line.split("\t", 3)
            check(int(offset) == next_offset.get(partition, 0), f"partition {partition}: offset {offset} after a gap or twice")
            next_offset[partition] = int(offset) + 1
            message = json.loads(value)
            check(message["device_no"] == key, f"key {key} of {message}")
            found[int(key[1:])].append(message["sequence"])
        for device in range(DEVICES):
            sequences = found[device]
            wrong = next((i for i in range(1, len(sequences)) if sequences[i] <= sequences[i - 1]), None)
            check(wrong is None, f"device {device}: {sequences[wrong]} behind {sequences[wrong - 1]}" if wrong else "")
            lost = self.acknowledged[device] - set(sequences)
            check(not lost, f"device {device}: acknowledged and lost: {sorted(lost)[:10]}")
            invented = set(sequences) - set(range(self.sent[device]))
            check(not invented, f"device {device}: never sent: {sorted(invented)[:10]}")
        return sum(map(len, found))
