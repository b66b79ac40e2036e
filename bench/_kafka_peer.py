"""Apache Kafka in KRaft combined mode, one node, from Maven Central: the peer of the Kafka rows, and its perf tools."""
import os
import re
import subprocess
import time

from _servers import WORK, Failure, Process, free_port, pinned

VERSION, LOG4J = "4.3.1", "2.25.4"
LIBS = WORK / f"kafka-{VERSION}"
# The flags of Kafka's own bin/kafka-run-class.sh and its default heap.
JVM = ["-Xms1G", "-Xmx1G", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35",
       "-XX:+ExplicitGCInvokesConcurrent", "-Djava.awt.headless=true"]


def install():
    """The jars, kept between runs; a Failure says why there are none."""
    if (LIBS / "complete").exists():
        return
    LIBS.mkdir(parents=True, exist_ok=True)
    wanted = [("org.apache.kafka", "kafka_2.13", VERSION), ("org.apache.kafka", "kafka-tools", VERSION),
              ("org.apache.logging.log4j", "log4j-slf4j-impl", LOG4J), ("org.apache.logging.log4j", "log4j-core", LOG4J)]
    dependencies = "".join(f"<dependency><groupId>{g}</groupId><artifactId>{a}</artifactId><version>{v}</version></dependency>"
                           for g, a, v in wanted)
    (LIBS / "pom.xml").write_text("<project><modelVersion>4.0.0</modelVersion><groupId>millrace</groupId><artifactId>peer"
                                  "</artifactId><version>1</version><packaging>pom</packaging><dependencies>"
                                  f"{dependencies}</dependencies></project>")
    try:
        done = subprocess.run(["mvn", "-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime",
                               "-DoutputDirectory=libs"], cwd=LIBS, capture_output=True, text=True, timeout=900)
    except FileNotFoundError:
        raise Failure("Apache Kafka: no mvn (./dev setup full)") from None
    if done.returncode != 0:
        raise Failure(f"Apache Kafka: {done.stdout[-300:]}")
    (LIBS / "complete").touch()


def java(*words):
    return ["java", *words[:-1], "-cp", f"{LIBS}/libs/*", *words[-1]]


class Kafka(Process):
    """The defaults, which never sync, or with a sync before each acknowledgement."""

    def __init__(self, core, durable=False):
        install()
        self.label = "Apache Kafka, log.flush.interval.messages=1" if durable else "Apache Kafka, defaults"
        self.durability = "fdatasync before the acknowledgement" if durable else "none (page cache)"
        self.port, controller = free_port(), free_port()
        super().__init__("kafka", java(*JVM, ["kafka.Kafka", WORK / "data/kafka/server.properties"]), core)
        properties = {
            "process.roles": "broker,controller", "node.id": 1, "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}", "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT", "log.dirs": self.folder / "kraft",
            "offsets.topic.replication.factor": 1, "group.initial.rebalance.delay.ms": 0,
            **({"log.flush.interval.messages": 1} if durable else {})}
        (self.folder / "server.properties").write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
        done = subprocess.run(java("-Xmx256M", "-XX:TieredStopAtLevel=1", ["kafka.tools.StorageTool", "format", "-t",
                                   "millracemillracemillrA", "-c", self.folder / "server.properties"]),
                              capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            raise Failure(f"Apache Kafka: format: {done.stdout[-300:]}{done.stderr[-300:]}")
        self.kafka = f"127.0.0.1:{self.port}"

    def wait_ready(self):
        # The tools' answer is the only sign of being ready that needs no log configuration.
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                self.fail("ended before it was ready")
            done = subprocess.run(java("-Xmx128M", "-XX:TieredStopAtLevel=1",
                                       ["org.apache.kafka.tools.ClusterTool", "cluster-id", "--bootstrap-server", self.kafka]),
                                  capture_output=True, text=True, timeout=120)
            if "Cluster ID" in done.stdout:
                return
        self.fail("not ready within 120 s")


def producer_performance(core, bootstrap, topic, records, size, rate=-1, **properties):
    """kafka-producer-perf-test: {"per_s", "p50", "p99", "p999" (ms), "cores"}."""
    install()
    settings = [f"{key.replace('_', '.')}={value}" for key, value in properties.items()]
    words = ["org.apache.kafka.tools.ProducerPerformance", "--topic", topic, "--num-records", str(records), "--record-size",
             str(size), "--throughput", str(rate), "--producer-props", f"bootstrap.servers={bootstrap}", "acks=all", *settings]
    before = os.times()
    started = time.monotonic()
    done = subprocess.run(pinned(core, java("-Xmx512M", words)), capture_output=True, text=True, timeout=900)
    after = os.times()
    found = re.search(r"records sent, ([\d.]+) records/sec.*?([\d.]+) ms 50th, ([\d.]+) ms 95th, ([\d.]+) ms 99th, "
                      r"([\d.]+) ms 99.9th",
                      done.stdout.strip().splitlines()[-1] if done.stdout.strip() else "")
    if not found:
        raise Failure(f"kafka-producer-perf-test: {done.stdout[-300:]}{done.stderr[-300:]}")
    used = after.children_user + after.children_system - before.children_user - before.children_system
    names = ("per_s", "p50", "p95", "p99", "p999")
    return {**dict(zip(names, map(float, found.groups()))), "cores": used / (time.monotonic() - started)}


def consumer_performance(core, bootstrap, topic, records):
    """kafka-consumer-perf-test from the start: {"mb_per_s", "cores"}, by the tool's own fetch time: without the JVM's start and
    without the group's first rebalance. "cores" is of the whole process."""
    install()
    words = ["org.apache.kafka.tools.ConsumerPerformance", "--bootstrap-server", bootstrap, "--topic", topic, "--messages",
             str(records), "--timeout", "20000", "--reporting-interval", "100000", "--hide-header"]
    before = os.times()
    started = time.monotonic()
    done = subprocess.run(pinned(core, java("-Xmx512M", words)), capture_output=True, text=True, timeout=900)
    after = os.times()
    fields = [field.strip() for field in done.stdout.strip().splitlines()[-1].split(",")] if done.stdout.strip() else []
    if len(fields) < 10:
        raise Failure(f"kafka-consumer-perf-test: {done.stdout[-300:]}{done.stderr[-300:]}")
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return {"mb_per_s": float(fields[8]) * 1.048576, "records": int(fields[4]), "cores": used / (time.monotonic() - started)}
