"""Other people's Kafka clients, each: produce with headers, keys and every codec it has, consume in a group of two with a
rebalance in between, commit, and go on after the server was killed with -9. `kafka_matrix.py NAME...` runs only these.

Java 4.3.1 and 2.8.2, aiokafka, franz-go, sarama, kafkajs, rdkafka (Rust). (confluent-kafka, kafka-python:
kafka_python_clients.py and kafka_groups_python.py; Debian's librdkafka: tests/scenarios/kafka_kcat.py.)"""
# timeout: 1800
import os
import re
import shutil
import signal
import subprocess
import sys
import venv
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scenarios"))
from _server import SOURCE, Server, check, scratch, skip, wait_until  # noqa: E402

HERE = Path(__file__).resolve().parent / "matrix"
KEPT = SOURCE / "build" / "clients-matrix"
ALL = ("none", "gzip", "snappy", "lz4", "zstd")
PARTITIONS, COUNT = 4, 200


class Missing(Exception):
    """This client cannot be had here."""


def install(words, folder, **more):
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=900, **more)
    if done.returncode != 0:
        raise Missing(f"{words[0]}: {(done.stderr or done.stdout).strip()[-300:]}")


def need_tool(name):
    if not shutil.which(name):
        raise Missing(f"{name} is not installed")


def java(version):
    need_tool("mvn")
    need_tool("javac")
    folder = KEPT / f"java-{version}"
    if not (folder / "JavaClient.class").exists():
        folder.mkdir(parents=True, exist_ok=True)
        dependency = "<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version></dependency>".format
        (folder / "pom.xml").write_text(
            "<project><modelVersion>4.0.0</modelVersion><groupId>millrace</groupId><artifactId>matrix</artifactId>"
            "<version>1</version><packaging>pom</packaging><dependencies>"
            f"{dependency('org.apache.kafka', 'kafka-clients', version)}"
            f"{dependency('org.slf4j', 'slf4j-nop', '1.7.36')}</dependencies></project>")
        copy = ["dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory=libs"]
        install(["mvn", "-q", "-B", *copy], folder)
        install(["javac", "-cp", "libs/*", "-d", ".", str(HERE / "JavaClient.java")], folder)
    return ["java", "-Xmx256M", "-XX:TieredStopAtLevel=1", "-cp", f"{folder}:{folder}/libs/*", "JavaClient"]


def aiokafka():
    folder, packages = KEPT / "python", ["aiokafka==0.14.0", "cramjam==2.11.0"]
    if not (folder / "complete").exists():
        venv.create(folder, with_pip=True, clear=True)
        install([folder / "bin/python", "-m", "pip", "install", "--quiet", *packages], folder)
        (folder / "complete").touch()
    return [folder / "bin/python", "-B", HERE / "aiokafka_client.py"]


def kafkajs():
    need_tool("npm")
    folder = KEPT / "node"
    if not (folder / "node_modules/kafkajs").exists():
        folder.mkdir(parents=True, exist_ok=True)
        install(["npm", "install", "--silent", "--no-audit", "--no-fund", "kafkajs@2.2.4"], folder)
    shutil.copy(HERE / "kafkajs_client.js", folder)
    return ["node", folder / "kafkajs_client.js"]


def go(library):
    need_tool("go")
    folder = KEPT / "go"
    if not (folder / "matrix").exists():
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(HERE / "go", folder)
        quiet = {"env": {**os.environ, "GOFLAGS": "-mod=mod", "CGO_ENABLED": "0"}}
        install(["go", "mod", "init", "matrix"], folder, **quiet)
        install(["go", "get", "github.com/twmb/franz-go@v1.20.3", "github.com/IBM/sarama@v1.46.3"], folder, **quiet)
        install(["go", "build", "-p", "1", "-o", "matrix", "."], folder, **quiet)
    return [folder / "matrix", library]


def rust():
    need_tool("cargo")
    folder = KEPT / "rust"
    program = folder / "target" / "debug" / "matrix"
    if not program.exists():
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(HERE / "rust", folder)
        install(["cargo", "build", "--quiet"], folder)  # librdkafka too, from the package's own source
    return [program]


CLIENTS = {
    "java-4.3.1": (lambda: java("4.3.1"), ALL),
    "java-2.8.2": (lambda: java("2.8.2"), ALL),
    "aiokafka": (aiokafka, ALL),
    "franz-go": (lambda: go("franz"), ALL),
    "sarama": (lambda: go("sarama"), ALL),
    "kafkajs": (kafkajs, ("none", "gzip")),
    "rdkafka": (rust, ALL),
}


class Member:
    """One consumer of the group, with what it said so far."""

    def __init__(self, command, bootstrap, topic, group, name):
        self.path = scratch() / f"{name}.out"
        self.out = open(self.path, "w", encoding="utf-8")
        words = [*map(str, command), "consume", bootstrap, topic, group]
        self.process = subprocess.Popen(words, stdout=self.out, stderr=subprocess.STDOUT)

    def said(self):
        return self.path.read_text(errors="replace")

    def assigned(self):
        """The partitions it was given last."""
        lines = re.findall(r"^assigned (.*)$", self.said(), re.M)
        return {int(p) for p in lines[-1].split(",") if p} if lines else set()

    def all_assigned(self):
        """Every partition it was ever given: cooperative clients tell only what came."""
        return {int(p) for line in re.findall(r"^assigned (.*)$", self.said(), re.M) for p in line.split(",") if p}

    def records(self):
        return re.findall(r"^record (\d+) (\d+) (\S+) (\S+) (\S+)$", self.said(), re.M)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.out.close()


def run_client(server, name, command, codecs):
    topic, group = f"matrix-{name}", f"group-{name}"
    subprocess.run([os.environ.get("MILLRACE") or SOURCE / "build/release/millrace", "topics", "create", topic, "--partitions",
                    str(PARTITIONS), "--kafka", server.ports["kafka"]], check=True, capture_output=True)
    members = []

    def produce(codec, first):
        done = subprocess.run([*map(str, command), "produce", server.ports["kafka"], topic, codec, str(first), str(COUNT)],
                              capture_output=True, text=True, timeout=120)
        check(done.returncode == 0, f"{name} produces with {codec}: {done.stdout[-500:]}{done.stderr[-1500:]}")

    def seen():
        return {value: (key, codec) for member in members for _, _, key, value, codec in member.records()}

    def wait_for(count, what):
        wait_until(lambda: len(seen()) >= count, f"{name}: {what}: {count} records, there are {len(seen())}; "
                   f"{[m.said()[-300:] for m in members]}", 90)

    try:
        for index, codec in enumerate(codecs):
            produce(codec, index * COUNT)
        members.append(Member(command, server.ports["kafka"], topic, group, f"{name}-a"))
        wait_for(len(codecs) * COUNT, "the first member reads all")
        for i, codec in ((i, codec) for index, codec in enumerate(codecs) for i in range(index * COUNT, (index + 1) * COUNT)):
            check(seen()[f"v{i}"] == (f"k{i % 20}", codec), f"{name}: record {i} is {seen()[f'v{i}']}")
        before = members[0].said().count("assigned")
        members.append(Member(command, server.ports["kafka"], topic, group, f"{name}-b"))
        wait_until(lambda: 0 < len(members[1].assigned()) < PARTITIONS and members[0].said().count("assigned") > before,
                   f"{name}: two members share the partitions", 60)
        produce(codecs[0], 10_000)
        wait_for((len(codecs) + 1) * COUNT, "two members read all")
        server.kill()
        port = server.port("kafka")
        server.options += ["--set", f"kafka.port={port}"]
        server.start()
        produce(codecs[-1], 20_000)
        wait_for((len(codecs) + 2) * COUNT, "both go on after kill -9")
    finally:
        for member in members:
            member.stop()
    # Whoever comes next begins where they committed: nothing, but for what was read and not yet committed.
    after = Member(command, server.ports["kafka"], topic, group, f"{name}-c")
    members.append(after)
    try:
        wait_until(lambda: after.assigned(), f"{name}: a third member joins: {after.said()[-500:]}", 60)
        produce(codecs[0], 30_000)
        wait_for((len(codecs) + 3) * COUNT, "the third member goes on")
    finally:
        after.stop()
    check(len(after.records()) <= 2 * COUNT, f"{name}: the third member reads {len(after.records())}, not what is committed")
    print(f"{name}: {', '.join(codecs)}; group of two, rebalance, commit, kill -9: good", flush=True)


def main():
    wanted, missing = sys.argv[1:] or list(CLIENTS), []
    server = Server(config="group.initial.rebalance.delay.ms: 500\n").start()
    try:
        for name in wanted:
            make, codecs = CLIENTS[name]
            try:
                command = make()
            except Missing as reason:
                missing.append(f"{name} ({reason})")
                continue
            run_client(server, name, command, codecs)
        check(server.stop() == 0, "clean stop")
    finally:
        server.abandon()
    for one in missing:
        print(f"not here: {one}")
    if len(missing) == len(wanted):
        skip("; ".join(missing))


main()
