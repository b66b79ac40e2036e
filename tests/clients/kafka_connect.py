"""A distributed worker of Kafka Connect with its three internal topics: a file source and a file sink carry lines through a
topic, while the server is killed with -9 and the worker is started again."""
# timeout: 900
import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scenarios"))
from _kafka_jars import kafka_jars  # noqa: E402
from _server import DEADLINE_S, Server, check, need, scratch, wait_until  # noqa: E402

LINES = 500
LOG4J = """<?xml version="1.0" encoding="UTF-8"?>
<Configuration><Appenders><Console name="C" target="SYSTEM_ERR"><PatternLayout pattern="%d %p %c %m%n"/></Console></Appenders>
<Loggers><Root level="WARN"><AppenderRef ref="C"/></Root></Loggers></Configuration>"""
CONNECTORS = {
    "source": {"connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector", "tasks.max": "1", "topic": "lines"},
    "sink": {"connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector", "tasks.max": "1", "topics": "lines"},
}


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
            settings |= {f"{part}.storage.topic": f"connect-{part}", f"{part}.storage.replication.factor": "1"}
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


def append(path, first):
    with open(path, "a", encoding="utf-8") as file:
        file.writelines(f"line {i}\n" for i in range(first, first + LINES))


def main():
    need("java", "mvn")
    libs = kafka_jars("connect-file")
    server = Server(options=("--set", "auto.create.topics.enable=true"))
    source, sink = scratch() / "source.txt", scratch() / "sink.txt"
    worker = None
    try:
        server.start()
        server.options += ["--set", f"kafka.port={server.port('kafka')}"]
        worker = Worker(libs, server)
        worker.start()
        append(source, 0)
        for name, file in (("source", source), ("sink", sink)):
            worker.call("PUT", f"/connectors/{name}/config", {"name": name, "file": str(file), **CONNECTORS[name]})
        wait_until(lambda: worker.running("source") and worker.running("sink"), "both connectors run", 60)

        def arrived(end):
            return sink.exists() and set(sink.read_text().splitlines()) == {f"line {i}" for i in range(end)}

        wait_until(lambda: arrived(LINES), "every line arrives", 60)
        server.kill()
        server.start()
        append(source, LINES)
        wait_until(lambda: arrived(2 * LINES), "and every line after kill -9 of the server", 120)
        worker.stop()
        append(source, 2 * LINES)
        worker.start()
        wait_until(lambda: worker.running("source") and worker.running("sink"), "the worker finds its connectors again", 60)
        wait_until(lambda: arrived(3 * LINES), "and goes on where it was", 60)
        count = len(sink.read_text().splitlines())
        check(count < 4 * LINES, f"it did not begin anew: {count} lines")
        worker.call("DELETE", "/connectors/sink")
        wait_until(lambda: worker.call("GET", "/connectors") == ["source"], "a connector is deleted", 30)
        print(f"{3 * LINES} lines through connect-file {libs.parent.name}, {count - 3 * LINES} of them twice")
    finally:
        if worker and worker.process and worker.process.poll() is None:
            worker.stop()
        server.abandon()


main()
