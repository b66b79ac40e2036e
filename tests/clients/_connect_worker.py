"""A distributed worker of Apache Kafka's Connect, on millrace's broker."""
import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scenarios"))
from _server import DEADLINE_S, check, scratch, wait_until  # noqa: E402

LOG4J = """<?xml version="1.0" encoding="UTF-8"?>
<Configuration><Appenders><Console name="C" target="SYSTEM_ERR"><PatternLayout pattern="%d %p %c %m%n"/></Console></Appenders>
<Loggers><Root level="WARN"><AppenderRef ref="C"/></Root></Loggers></Configuration>"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Worker:
    def __init__(self, libs, server):
        self.libs, self.port, self.process = libs, free_port(), None
        self.properties, self.log = scratch() / "worker.properties", scratch() / "worker.log"
        settings = {"bootstrap.servers": server.ports["kafka"], "group.id": "connect-cluster", "offset.flush.interval.ms": "500",
                    "listeners": f"http://127.0.0.1:{self.port}", "plugin.discovery": "hybrid_warn"}
        for part in ("config", "offset", "status"):
            settings |= {f"{part}.storage.topic": f"worker-{part}", f"{part}.storage.replication.factor": "1"}
        for part in ("key", "value"):
            settings |= {f"{part}.converter": "org.apache.kafka.connect.storage.StringConverter"}
        self.properties.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        (scratch() / "log4j2.xml").write_text(LOG4J)

    def start(self):
        command = ["java", "-Xmx512M", "-XX:TieredStopAtLevel=1", f"-Dlog4j2.configurationFile={scratch() / 'log4j2.xml'}", "-cp",
                   f"{self.libs}/*", "org.apache.kafka.connect.cli.ConnectDistributed", str(self.properties)]
        self.process = subprocess.Popen(command, stdout=open(self.log, "ab"), stderr=subprocess.STDOUT)
        wait_until(self.ready, "the worker answers", 120)

    def ready(self):
        check(self.process.poll() is None, f"the worker ended: {self.log.read_text()[-3000:]}")
        try:
            return self.call("GET", "/connectors") is not None
        except (urllib.error.URLError, ConnectionError):
            return False

    def call(self, method, path, body=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method,
                                         data=None if body is None else json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:
            return json.loads(answer.read() or b"null")

    def running(self, name):
        try:
            status = self.call("GET", f"/connectors/{name}/status")
        except urllib.error.HTTPError:
            return False
        return status["connector"]["state"] == "RUNNING" and [task["state"] for task in status["tasks"]] == ["RUNNING"]

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
