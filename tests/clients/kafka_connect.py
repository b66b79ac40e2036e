"""A distributed worker of Kafka Connect with its three internal topics: a file source and a file sink carry lines through a
topic, while the server is killed with -9 and the worker is started again."""
# timeout: 900
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scenarios"))
from _connect_worker import Worker  # noqa: E402
from _kafka_jars import kafka_jars  # noqa: E402
from _server import Server, check, need, scratch, wait_until  # noqa: E402

LINES = 500
CONNECTORS = {
    "source": {"connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector", "tasks.max": "1", "topic": "lines"},
    "sink": {"connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector", "tasks.max": "1", "topics": "lines"},
}


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
