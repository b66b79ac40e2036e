"""mosquitto_pub and mosquitto_sub for mqtt_matrix.py (README.md). The subscriber is a process that ends with this one; it has
the client id, publishers have none."""
import os
import re
import signal
import subprocess
import sys
import threading
from urllib.parse import urlparse


def encode(word):
    return bytes(i % 251 for i in range(int(word[1:]))) if word.startswith("*") else word.encode()


def say(*words):
    sys.stdout.write(" ".join(map(str, words)) + "\n")  # in one piece: several threads speak
    sys.stdout.flush()


class Client:
    def connect(self, url, level, name, clean, *will):
        at = urlparse(url)
        self.common = ["-h", at.hostname, "-p", str(at.port), "-V", "mqttv5" if level == "5" else "mqttv311"]
        if at.scheme == "mqtts":
            self.common += ["--cafile", os.environ["CAFILE"]]
        self.own = ["-i", name]
        if clean == "0":
            self.own += ["-c", *(["-x", "3600"] if level == "5" else [])]
        if will:
            self.own += ["--will-topic", will[0], "--will-payload", will[1], "--will-qos", "1"]
        self.reader = None
        say("connected")

    def subscribe(self, topic_filter, qos):
        dies_with_us = ["setpriv", "--pdeathsig", "KILL", "stdbuf", "-oL"]
        words = ["-t", topic_filter, "-q", qos, "-d", "-F", "message %t %q %r %l %x"]
        self.reader = subprocess.Popen([*dies_with_us, "mosquitto_sub", *self.common, *self.own, *words], text=True,
                                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace")
        self.subscribed = threading.Event()
        threading.Thread(target=self.listen, args=(self.reader.stdout,), daemon=True).start()
        say("subscribed" if self.subscribed.wait(30) else "error not subscribed")

    def listen(self, lines):
        for line in lines:
            if "Subscribed (mid" in line:
                self.subscribed.set()
            found = re.match(r"message (\S+) (\d) (\d) (\d+) (\w*)$", line)
            if found:
                payload = bytes.fromhex(found[5])
                word = payload.decode() if len(payload) < 100 else f"*{len(payload)}"
                say("message", found[1], found[2], found[3], word if encode(word) == payload else "damaged")

    def publish(self, topic, qos, retain, payload):
        done = subprocess.run(["mosquitto_pub", *self.common, "-t", topic, "-q", qos, *(["-r"] if retain == "1" else []), "-s"],
                              input=encode(payload), capture_output=True, timeout=30)
        say("published" if done.returncode == 0 else f"error mosquitto_pub ended with {done.returncode}: {done.stderr!r}")

    def disconnect(self):
        if self.reader:
            self.reader.send_signal(signal.SIGTERM)
            self.reader.wait(30)
        say("disconnected")


program = Client()
for line in sys.stdin:
    verb, *words = line.split()
    getattr(program, verb)(*words)
