#!/usr/bin/env python3
"""Other people's MQTT clients, each over every transport it has, as 3.1.1 and as 5: every QoS it has there and back with small
and 200 KB payloads, retained, a will, and an offline session through kill -9 of the server. `mqtt_matrix.py NAME...` runs only
these.

mosquitto_pub and mosquitto_sub (mosquitto_rr: mqtt_mosquitto.py), Paho's C, Python and Go clients, MQTT.js, the AWS device
SDK, HiveMQ's Java client, Rust's rumqttc. Each is driven in the same words (mqtt_matrix/README.md)."""
# timeout: 1800
import os
import queue
import shutil
import subprocess
import sys
import threading
import venv
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scenarios"))
from _certificates import Authority  # noqa: E402
from _server import SOURCE, Server, check, scratch, skip  # noqa: E402

HERE = Path(__file__).resolve().parent / "mqtt_matrix"
KEPT = SOURCE / "build" / "clients-matrix" / "mqtt"
TCP, WEB = ("mqtt", "mqtts"), ("ws", "wss")
LISTENERS = {"mqtt": "mqtt", "mqtts": "mqtt.tls", "ws": "ws", "wss": "ws.tls"}
WAIT_S, LARGE = 40, "*200000"


class Missing(Exception):
    """This client cannot be had here."""


def install(words, folder, **more):
    done = subprocess.run(list(map(str, words)), cwd=folder, capture_output=True, text=True, timeout=900, **more)
    if done.returncode != 0:
        raise Missing(f"{words[0]}: {(done.stderr or done.stdout).strip()[-300:]}")


def need_tool(*names):
    for name in names:
        if not shutil.which(name):
            raise Missing(f"{name} is not installed")


def folder_for(name):
    folder = KEPT / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def mosquitto():
    need_tool("mosquitto_pub", "mosquitto_sub", "setpriv", "stdbuf")
    return [sys.executable, "-B", HERE / "mosquitto_client.py"]


def paho_c():
    need_tool("gcc")
    program = folder_for("c") / "client"
    install(["gcc", "-O1", "-o", program, HERE / "paho_c_client.c", "-lpaho-mqtt3cs"], KEPT)
    return [program]


def python(script, package):
    folder = KEPT / "python"
    if not (folder / package).exists():
        if not (folder / "bin").exists():
            venv.create(folder, with_pip=True)
        install([folder / "bin/python", "-m", "pip", "install", "--quiet", package], folder)
        (folder / package).touch()
    return [folder / "bin/python", "-B", HERE / script]


def mqttjs():
    need_tool("npm", "node")
    folder = folder_for("node")
    if not (folder / "node_modules/mqtt").exists():
        install(["npm", "install", "--silent", "--no-audit", "--no-fund", "mqtt@5.16.0"], folder)
    shutil.copy(HERE / "mqttjs_client.js", folder)
    return ["node", folder / "mqttjs_client.js"]


def go():
    need_tool("go")
    folder, quiet = folder_for("go"), {"env": {**os.environ, "GOFLAGS": "-mod=mod", "CGO_ENABLED": "0"}}
    shutil.copy(HERE / "go" / "main.go", folder)
    if not (folder / "go.sum").exists():
        (folder / "go.mod").unlink(missing_ok=True)
        install(["go", "mod", "init", "matrix"], folder, **quiet)
        packages = ["github.com/eclipse/paho.golang@v0.23.0", "github.com/eclipse/paho.mqtt.golang@v1.5.1"]
        install(["go", "get", *packages], folder, **quiet)
    install(["go", "build", "-p", "1", "-o", "client", "."], folder, **quiet)
    return [folder / "client"]


def hivemq():
    need_tool("mvn", "javac")
    folder = folder_for("hivemq")
    if not (folder / "libs").exists():
        dependency = ("<dependency><groupId>com.hivemq</groupId><artifactId>{}</artifactId><version>1.3.3</version>{}"
                      "</dependency>").format
        (folder / "pom.xml").write_text(
            "<project><modelVersion>4.0.0</modelVersion><groupId>millrace</groupId><artifactId>matrix</artifactId>"
            f"<version>1</version><packaging>pom</packaging><dependencies>{dependency('hivemq-mqtt-client', '')}"
            f"{dependency('hivemq-mqtt-client-websocket', '<type>pom</type>')}</dependencies></project>")
        install(["mvn", "-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory=libs"], folder)
    install(["javac", "-cp", "libs/*", "-d", ".", HERE / "HiveClient.java"], folder)
    return ["java", "-Xmx128M", "-XX:TieredStopAtLevel=1", "-cp", f"{folder}:{folder}/libs/*", "HiveClient"]


def rumqttc():
    need_tool("cargo")
    folder = folder_for("rust")
    shutil.copytree(HERE / "rust", folder, dirs_exist_ok=True)
    install(["cargo", "build", "--quiet"], folder)
    return [folder / "target" / "debug" / "mqtt-matrix"]


# name: how to get it, its transports, the highest QoS it publishes with (AWS IoT knows no 2), words for schemes of its own
CLIENTS = {
    "mosquitto": (mosquitto, TCP, 2, {}),
    "paho-c": (paho_c, TCP + WEB, 2, {"mqtt": "tcp", "mqtts": "ssl"}),
    "paho-python": (lambda: python("paho_client.py", "paho-mqtt==2.1.0"), TCP + WEB, 2, {}),
    "paho-go": (go, TCP + WEB, 2, {}),
    "mqtt.js": (mqttjs, TCP + WEB, 2, {}),
    "aws-sdk": (lambda: python("aws_client.py", "awscrt==0.38.1"), TCP + WEB, 1, {}),
    "hivemq": (hivemq, TCP + WEB, 2, {}),
    "rumqttc": (rumqttc, TCP + WEB, 2, {}),
}


class Site:
    """The server with every listener, on ports that it keeps when it is killed."""

    def __init__(self):
        ca = Authority(scratch() / "certificates")
        certificate, key = ca.server()
        self.ca = ca.certificate
        self.server = Server(config=f"tls.certificate.file: {certificate}\ntls.key.file: {key}\n"
                                    "mqtt.tls.port: 0\nws.tls.port: 0\n").start()

    def restart(self):
        self.server.kill()
        for name, setting in LISTENERS.items():
            self.server.options += ["--set", f"{setting}.port={self.server.port(name)}"]
        self.server.start()

    def url(self, transport, words):
        path = "/mqtt" if transport in WEB else ""
        return f"{words.get(transport, transport)}://localhost:{self.server.port(transport)}{path}"


class Client:
    """One run of a client's program."""

    def __init__(self, site, command, label):
        self.label, self.answers, self.messages = label, queue.Queue(), queue.Queue()
        self.errors = open(scratch() / "clients.log", "a", encoding="utf-8")
        self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.errors, text=True, env={**os.environ, "CAFILE": str(site.ca)})
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in self.process.stdout:
            kind, _, rest = line.strip().partition(" ")
            (self.messages if kind == "message" else self.answers).put(rest if kind == "message" else line.strip())
        self.answers.put("ended")

    def ask(self, expected, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        try:
            said = self.answers.get(timeout=WAIT_S)
        except queue.Empty:
            said = "nothing"
        check(said == expected, f"{self.label}: {' '.join(map(str, words))}: {said}")

    def expect(self, *messages):
        for wanted in messages:
            try:
                got = self.messages.get(timeout=WAIT_S)
            except queue.Empty:
                got = "nothing"
            check(got == wanted, f"{self.label}: '{got}' instead of '{wanted}'")

    def connect(self, url, level, name, clean=1, *will):
        self.ask("connected", "connect", url, level, name, clean, *will)
        return self

    def subscribe(self, topic_filter, qos):
        self.ask("subscribed", "subscribe", topic_filter, qos)

    def publish(self, topic, qos, payload, retain=0):
        self.ask("published", "publish", topic, qos, retain, payload)

    def disconnect(self):
        self.ask("disconnected", "disconnect")
        self.end()

    def end(self):
        """Dies without a word to the server."""
        self.process.kill()
        self.process.wait()
        self.errors.close()


def run_transport(site, name, transport):
    make, _, most, words = CLIENTS[name]
    command, url = make(), site.url(transport, words)
    sessions = []
    for level in (4, 5):
        label, base = f"{name} over {transport}, level {level}", f"{name}/{transport}/{level}"

        def new(client, clean=1, *will):
            return Client(site, command, label).connect(url, level, f"{base}/{client}", clean, *will)

        first, writer = new("first"), new("writer")
        first.subscribe(f"{base}/to/#", most)
        for qos in range(most + 1):
            for payload in ("small", LARGE):
                writer.publish(f"{base}/to/{qos}", qos, payload)
                first.expect(f"{base}/to/{qos} {qos} 0 {payload}")
        writer.publish(f"{base}/kept", 1, "kept", retain=1)
        second = new("second")
        second.subscribe(f"{base}/kept", 1)
        second.expect(f"{base}/kept 1 1 kept")
        second.disconnect()
        victim = new("victim", 1, f"{base}/to/will", "gone")
        victim.subscribe(f"{base}/nothing", 0)  # mosquitto_sub connects when it subscribes
        victim.end()
        first.expect(f"{base}/to/will 1 0 gone")
        sleeper = new("sleeper", 0)
        sleeper.subscribe(f"{base}/later", most)
        sleeper.disconnect()
        waiting = [(qos, payload) for qos in range(1, most + 1) for payload in ("waiting", LARGE)]
        for qos, payload in waiting:
            writer.publish(f"{base}/later", qos, payload)
        first.disconnect()
        writer.disconnect()
        sessions.append((label, base, level, waiting))
    site.restart()
    for label, base, level, waiting in sessions:
        # A subscriber of the new process, as its own kind of client, finds the retained message; the sleeper what waits.
        second = Client(site, command, label).connect(url, level, f"{base}/second")
        second.subscribe(f"{base}/kept", 1)
        second.expect(f"{base}/kept 1 1 kept")
        second.disconnect()
        sleeper = Client(site, command, label).connect(url, level, f"{base}/sleeper", 0)
        if name == "mosquitto":
            sleeper.subscribe(f"{base}/later", most)
        sleeper.expect(*(f"{base}/later {qos} 0 {payload}" for qos, payload in waiting))
        sleeper.disconnect()


def main():
    wanted, missing = sys.argv[1:] or list(CLIENTS), []
    site = Site()
    try:
        for name in wanted:
            make, transports, most, _ = CLIENTS[name]
            try:
                make()
            except Missing as reason:
                missing.append(f"{name} ({reason})")
                continue
            for transport in transports:
                run_transport(site, name, transport)
            print(f"{name}: {', '.join(transports)}; as 3.1.1 and 5; QoS 0 to {most}, 200 KB, retained, will, offline through "
                  "kill -9: good", flush=True)
        check(site.server.stop() == 0, "clean stop")
    finally:
        site.server.abandon()
    for one in missing:
        print(f"not here: {one}")
    if len(missing) == len(wanted):
        skip("; ".join(missing))


main()
