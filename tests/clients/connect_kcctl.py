"""kcctl against the REST interface: its whole list of commands, with what a user does between them.

KCCTL names its program: "java -jar .../quarkus-run.jar", built from https://github.com/kcctl/kcctl, or the native one. It is in
no package registry.
"""

# timeout: 300
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scenarios"))
from _connect import Connect  # noqa: E402
from _server import check, need, scratch, serving, skip, wait_until  # noqa: E402

CONFIG = "topics:\n  - {name: cars, partitions: 2}\n"


class Kcctl:
    def __init__(self, home):
        self.command, self.home, self.ran = shlex.split(os.environ["KCCTL"]), Path(home), 0
        self.home.mkdir(parents=True, exist_ok=True)
        if self.command[0] == "java":
            self.command[1:1] = [f"-Duser.home={home}", "-XX:TieredStopAtLevel=1"]

    def __call__(self, *arguments, fails=False, data=None):
        """Its output."""
        done = subprocess.run(
            [*self.command, *arguments],
            input=data,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, "HOME": str(self.home)},
        )
        text = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)  # without colours
        check((done.returncode != 0) == fails, f"kcctl {' '.join(arguments)} ended with {done.returncode}: {text[-1500:]}")
        check(fails or "Exception" not in text, f"kcctl {' '.join(arguments)}: {text[-1500:]}")
        self.ran += 1
        return text


def has(text, *parts):
    for part in parts:
        check(part in text, f"{part!r} is not in: {text[:1500]}")


def file_of(name, body):
    path = scratch() / f"{name}.json"
    path.write_text(json.dumps(body))
    return str(path)


def contexts(kcctl, server):
    has(kcctl("config", "set-context", "local", "--cluster", f"http://{server.ports['connect']}"), "local")
    has(kcctl("config", "current-context"), "local")
    has(kcctl("config", "get-contexts"), "local")
    has(kcctl("info"), server.ports["connect"], "3.9")


def plugins(kcctl):
    has(kcctl("get", "plugins"), "S3SinkConnector", "FileStreamSourceConnector")
    has(kcctl("get", "plugins", "--types=transformation,converter"), "TimestampRouter", "JsonConverter")
    has(kcctl("describe", "plugin", "io.confluent.connect.s3.S3SinkConnector"), "flush.size", "format.class")


def life(kcctl, connect):
    sink = {
        "connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector",
        "topics": "cars",
        "tasks.max": "2",
        "file": str(scratch() / "out"),
    }
    path = file_of("file-sink", {"name": "file-sink", "config": sink})
    has(kcctl("apply", "-f", path), "Created connector file-sink")
    connect.wait_running("file-sink")
    has(kcctl("apply", "-f", path), "Updated connector file-sink")
    has(kcctl("apply", "-f", file_of("b", sink), "-n", "second"), "second")
    connect.wait_running("second")
    has(kcctl("get", "connectors"), "file-sink", "sink", "RUNNING", "0: RUNNING", "1: RUNNING")
    has(kcctl("describe", "connector", "file-sink"), "FileStreamSinkConnector", "RUNNING", "cars")
    has(kcctl("patch", "connector", "file-sink", "--set", "tasks.max=1"), "file-sink")
    wait_until(lambda: len(connect.states("file-sink")) == 2, "one task")
    has(kcctl("apply", "-f", file_of("bad", {"name": "bad", "config": {**sink, "tasks.max": "x"}}), fails=True), "tasks.max")
    has(kcctl("apply", "--dry-run", "-f", file_of("bad2", {"name": "bad", "config": {**sink, "tasks.max": "x"}}), fails=True),
        "tasks.max")
    kcctl("pause", "connector", "file-sink")
    wait_until(lambda: connect.states("file-sink") == ["PAUSED"] * 2, "PAUSED")
    has(kcctl("get", "connectors"), "PAUSED")
    kcctl("resume", "connector", "file-sink")
    connect.wait_running("file-sink")
    kcctl("restart", "connector", "file-sink")
    connect.wait_running("file-sink")
    kcctl("restart", "task", "file-sink/0")
    connect.wait_running("file-sink")


def offsets(kcctl, connect, server):
    lines = "".join(f'd{i}\t{{"seq":{i}}}\n' for i in range(100))
    subprocess.run(["kcat", "-b", server.ports["kafka"], "-P", "-t", "cars", "-K", "\t"], input=lines, text=True, check=True)
    wait_until(lambda: (scratch() / "out").read_text().count("\n") >= 200, "both sinks have all")
    wait_until(lambda: "kafka_offset" in kcctl("get", "offsets", "file-sink"), "bookmarks are shown")
    has(kcctl("get", "offsets", "file-sink"), "kafka_topic", "cars")
    has(kcctl("delete", "offsets", "file-sink", fails=True), "STOPPED")
    kcctl("stop", "connector", "file-sink")
    wait_until(lambda: connect.states("file-sink") == ["STOPPED"], "STOPPED")
    place = ["--kafka-topic", "cars", "--kafka-partition", "0", "--kafka-offset", "3"]
    has(kcctl("patch", "offsets", *place, "file-sink"), "altered successfully")
    has(kcctl("get", "offsets", "file-sink"), "3")
    has(kcctl("delete", "offsets", "file-sink"), "reset successfully")
    kcctl("resume", "connector", "file-sink")
    connect.wait_running("file-sink")


def loggers(kcctl):
    has(kcctl("get", "loggers"), "root", "INFO")
    has(kcctl("patch", "logger", "root", "--level", "DEBUG"), "root")
    has(kcctl("get", "logger", "root"), "DEBUG")
    kcctl("patch", "logger", "root", "--level", "INFO", "--scope", "cluster")


def main():
    if not os.environ.get("KCCTL"):
        skip("KCCTL names no kcctl")
    need("kcat")
    with serving(config=CONFIG) as server:
        connect, kcctl = Connect(server), Kcctl(scratch() / "home")
        contexts(kcctl, server)
        plugins(kcctl)
        life(kcctl, connect)
        offsets(kcctl, connect, server)
        loggers(kcctl)
        kcctl("delete", "connector", "second", "file-sink")
        check(connect.call("GET", "/connectors")[1] == [], "both are gone")
        kcctl("config", "remove-context", "local", fails=True)  # the current one stays
        print(f"{kcctl.ran} commands of kcctl")


main()
