"""The same requests to a worker of Apache Kafka's Connect and to millrace's: status codes and JSON, field by field.

What may differ is taken out first: addresses of workers, versions, stack traces, texts of documentation.
"""
# timeout: 900
import json
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scenarios"))
from _connect_worker import Worker  # noqa: E402
from _kafka_jars import kafka_jars  # noqa: E402
from _server import Server, check, need, scratch, wait_until  # noqa: E402

CLASS = "org.apache.kafka.connect.file.FileStreamSinkConnector"
SOURCE_CLASS = "org.apache.kafka.connect.file.FileStreamSourceConnector"
VARIES = {"worker_id": "host:port", "trace": "trace", "version": "v", "commit": "c", "kafka_cluster_id": "id"}


def config(file, **more):
    return {"connector.class": CLASS, "topics": "lines", "file": str(file), **more}


def requests(file):
    """(method, path, body, compare): compare is a function of the JSON, or None for all of it."""
    create = {"name": "f", "config": config(file)}
    keys = ("name", "connector.class", "tasks.max", "topics", "file", "errors.tolerance")

    def values(answer):
        return {c["value"]["name"]: (c["value"]["errors"], c["definition"]["type"], c["definition"]["required"])
                for c in answer["configs"] if c["value"]["name"] in keys}

    return [
        ("GET", "/connectors", None, None),
        ("POST", "/connectors", create, None),
        ("WAIT", "/connectors/f/status", "RUNNING", None),
        ("POST", "/connectors", create, None),
        ("GET", "/connectors", None, None),
        ("GET", "/connectors/f", None, None),
        ("GET", "/connectors/f/config", None, None),
        ("GET", "/connectors/f/status", None, None),
        ("GET", "/connectors/f/tasks", None, lambda answer: [task["id"] for task in answer]),
        ("GET", "/connectors/f/tasks/0/status", None, None),
        ("GET", "/connectors/f/tasks/7/status", None, None),
        ("GET", "/connectors?expand=status", None, None),
        ("GET", "/connectors?expand=info&expand=status", None, None),
        ("GET", "/connectors/none", None, None),
        ("GET", "/connectors/none/config", None, None),
        ("GET", "/connectors/none/status", None, None),
        ("GET", "/connectors/none/tasks", None, None),
        ("DELETE", "/connectors/none", None, None),
        ("PUT", "/connectors/none/pause", None, None),
        ("PUT", "/connectors/none/resume", None, None),
        ("POST", "/connectors/none/restart", None, None),
        ("POST", "/connectors/none/tasks/0/restart", None, None),
        ("POST", "/connectors/f/tasks/9/restart", None, None),
        ("PUT", "/connectors/f/config", config(file, name="other"), None),
        ("POST", "/connectors", {"name": "bad", "config": {"connector.class": CLASS, "tasks.max": "0"}}, None),
        ("POST", "/connectors", {"name": "bad", "config": {"topics": "lines"}}, lambda answer: answer["error_code"]),
        ("POST", "/connectors", {"name": "bad", "config": {"connector.class": "Nothing"}}, lambda a: a["error_code"]),
        ("PUT", f"/connector-plugins/{CLASS}/config/validate", config(file, name="v"), values),
        ("PUT", "/connector-plugins/FileStreamSink/config/validate",
         config(file, name="v", **{"errors.tolerance": "some"}), values),
        ("PUT", "/connector-plugins/Other/config/validate", config(file, name="v"), lambda answer: answer["error_code"]),
        ("PUT", "/connectors/f/config", config(file, **{"tasks.max": "2"}), lambda answer: (answer["name"], answer["config"])),
        ("WAIT", "/connectors/f/status", "RUNNING", None),
        ("PATCH", "/connectors/f/config", {"tasks.max": None}, lambda answer: answer["config"]),
        ("WAIT", "/connectors/f/status", "RUNNING", None),
        ("PUT", "/connectors/f/pause", None, None),
        ("WAIT", "/connectors/f/status", "PAUSED", None),
        ("GET", "/connectors/f/status", None, None),
        ("PUT", "/connectors/f/resume", None, None),
        ("WAIT", "/connectors/f/status", "RUNNING", None),
        ("POST", "/connectors/f/restart", None, None),
        ("POST", "/connectors/f/restart?includeTasks=true&onlyFailed=true", None, lambda answer: sorted(answer)),
        ("POST", "/connectors/f/tasks/0/restart", None, None),
        ("WAIT", "/connectors/f/status", "RUNNING", None),
        ("DELETE", "/connectors/f/offsets", None, lambda answer: answer["error_code"]),
        ("PUT", "/connectors/f/stop", None, None),
        ("WAIT", "/connectors/f/status", "STOPPED", None),
        ("GET", "/connectors/f/status", None, None),
        ("PATCH", "/connectors/f/offsets", {"offsets": [{"partition": {"kafka_topic": "lines", "kafka_partition": 0},
                                                        "offset": {"kafka_offset": 0}}]}, None),
        ("GET", "/connectors/f/offsets", None, None),
        ("DELETE", "/connectors/f/offsets", None, None),
        ("DELETE", "/connectors/f", None, None),
        ("GET", "/connectors", None, None),
    ]


def source_requests(file):
    """A file source: its type, its positions, and what is said about wrong ones."""
    create = {"name": "s", "config": {"connector.class": SOURCE_CLASS, "topic": "read", "file": str(file)}}

    def position(offset, partition=None):
        return {"offsets": [{"partition": partition or {"filename": str(file)}, "offset": offset}]}

    at_end = position({"position": file.stat().st_size})
    return [
        ("POST", "/connectors", create, None),
        ("WAIT", "/connectors/s/status", "RUNNING", None),
        ("UNTIL", "/connectors/s/offsets", at_end, None),
        ("GET", "/connectors/s", None, None),
        ("GET", "/connectors/s/status", None, None),
        ("GET", "/connectors/s/topics", None, None),
        ("PATCH", "/connectors/s/offsets", at_end, lambda answer: answer["error_code"]),
        ("PUT", "/connectors/s/stop", None, None),
        ("WAIT", "/connectors/s/status", "STOPPED", None),
        ("GET", "/connectors/s/offsets", None, None),
        ("PATCH", "/connectors/s/offsets", {}, lambda answer: answer["error_code"]),
        ("PATCH", "/connectors/s/offsets", position({"position": 4}), None),
        ("GET", "/connectors/s/offsets", None, None),
        ("PATCH", "/connectors/s/offsets", position(None), None),
        ("GET", "/connectors/s/offsets", None, None),
        ("PATCH", "/connectors/s/offsets", at_end, None),
        ("DELETE", "/connectors/s/offsets", None, None),
        ("GET", "/connectors/s/offsets", None, None),
        ("DELETE", "/connectors/s", None, None),
    ]


def call(base, method, path, body):
    request = urllib.request.Request(base + path, method=method, data=None if body is None else json.dumps(body).encode(),
                                     headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=100) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"null")


def plain(value):
    if isinstance(value, dict):
        if "worker_id" in value:
            value.pop("version", None)  # of Kafka 4; we are taken for 3.9
        return {key: VARIES.get(key) or plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list) else value


def settled(base, path, state):
    status, answer = call(base, "GET", path, None)
    states = {answer["connector"]["state"]} | {task["state"] for task in answer["tasks"]} if status == 200 else set()
    return states == {state} and (bool(answer["tasks"]) or state == "STOPPED")


def main():
    need("java", "mvn")
    libs = kafka_jars("connect-file")
    server, worker = Server(options=("--set", "auto.create.topics.enable=true")), None
    try:
        server.start()
        worker = Worker(libs, server)
        worker.start()
        ours, theirs = f"http://{server.ports['connect']}", f"http://127.0.0.1:{worker.port}"
        differences, compared, lines = [], 0, scratch() / "lines.txt"
        lines.write_text("one\ntwo\nthree\n")
        for method, path, body, compare in requests(scratch() / "out.txt") + source_requests(lines):
            if method == "UNTIL":
                for base in (ours, theirs):
                    wait_until(lambda: call(base, "GET", path, None) == (200, body), f"{base}{path} is {body}", 90)
                continue
            if method == "WAIT":
                for base in (ours, theirs):
                    wait_until(lambda: settled(base, path, body), f"{base}{path} is {body}", 60)
                continue
            answers = []
            for base in (theirs, ours):
                status, answer = call(base, method, path, body)
                # Kafka's worker says so itself: its consumer leaves the group some time after the connector is STOPPED, and
                # the group of this connector's name is the same for both.
                retried = time.monotonic() + 30
                while (status == 409 and "rebalance" in str(answer) or "safely retried" in str(answer)
                       or "has members" in str(answer)) and time.monotonic() < retried:
                    time.sleep(0.2)
                    status, answer = call(base, method, path, body)
                answers.append((status, plain(compare(answer) if compare and answer else answer)))
            compared += 1
            if answers[0] != answers[1]:
                differences.append(f"{method} {path}\n  Kafka    {answers[0]}\n  millrace {answers[1]}")
        print("\n".join(differences))
        print(f"{compared} requests compared, {len(differences)} answers differ")
        check(not differences, "the answers are the same")
    finally:
        if worker and worker.process and worker.process.poll() is None:
            worker.stop()
        server.abandon()


main()
