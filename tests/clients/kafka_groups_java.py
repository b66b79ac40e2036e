"""Apache Kafka's own tools (Java) and consumer groups: console consumers share a topic; kafka-consumer-groups lists, describes,
resets and deletes; its tools print what is in __consumer_offsets; everything is there after kill -9."""
# timeout: 900
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scenarios"))
from _kafka_jars import kafka_jars  # noqa: E402
from _server import DEADLINE_S, Server, check, need, scratch, wait_until  # noqa: E402

TOOLS = "org.apache.kafka.tools."
JAVA = ("java", "-Xmx256M", "-XX:TieredStopAtLevel=1")
PARTITIONS, RECORDS = 4, 300


class Tools:
    def __init__(self, libs, server):
        self.libs, self.server = libs, server

    def command(self, name, *arguments):
        return [*JAVA, "-cp", f"{self.libs}/*", TOOLS + name, *arguments]

    def run(self, name, *arguments, data=None, status=0):
        done = subprocess.run(self.command(name, *arguments), input=data, capture_output=True, text=True, timeout=180)
        said = done.stdout[-1500:] + done.stderr[-1500:]
        check(done.returncode == status, f"{name} {' '.join(arguments)} ended with {done.returncode}: {said}")
        return done.stdout

    def at(self):
        return ("--bootstrap-server", self.server.ports["kafka"])

    def groups(self, *arguments):
        return self.run("consumer.group.ConsumerGroupCommand", *self.at(), *arguments)

    def produce(self, first):
        lines = "".join(f"k{i % 31}:{i}\n" for i in range(first, first + RECORDS))
        self.run("ConsoleProducer", *self.at(), "--topic", "events", "--reader-property", "parse.key=true", "--reader-property",
                 "key.separator=:", data=lines)

    def consumer(self, name, *options):
        """A console consumer of group "java" as a process; its records are lines of SCRATCH/<name>.out."""
        out = scratch() / f"{name}.out"
        command = self.command("consumer.ConsoleConsumer", *self.at(), "--topic", "events", "--group", "java", "--from-beginning",
                               "--command-property", f"client.id={name}", "--command-property", "session.timeout.ms=6000",
                               "--command-property", "auto.commit.interval.ms=200", *options)
        return subprocess.Popen(command, stdout=open(out, "wb"), stderr=open(scratch() / f"{name}.err", "wb")), out


def lines(path):
    return path.read_text().split()


def rows(text):
    """The table of `--describe --offsets`: {partition: (committed, end, lag, consumer)}."""
    table = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 7 and words[0] == "java" and words[1] == "events":
            table[int(words[2])] = (words[3], words[4], words[5], words[6])
    return table


def members_share(tools):
    """Two console consumers, one group; then one of them ends and the other has everything."""
    one, one_out = tools.consumer("one")
    two = None
    try:
        wait_until(lambda: len(lines(one_out)) == RECORDS, "one console consumer reads everything", 60)
        two, two_out = tools.consumer("two")
        wait_until(lambda: "two" in tools.groups("--describe", "--group", "java", "--members"), "the second one joins", 60)
        wait_until(lambda: "Stable" in tools.groups("--describe", "--group", "java", "--state"), "the group is stable", 60)
        shown = tools.groups("--describe", "--group", "java", "--members", "--verbose")
        check(shown.count("events") == 2, f"both members have partitions: {shown}")
        check("range" in tools.groups("--describe", "--group", "java", "--state"), "the state names the assignor")
        tools.produce(RECORDS)
        wait_until(lambda: len(lines(one_out)) + len(lines(two_out)) == 2 * RECORDS, "both read what is new", 60)
        check(sorted(map(int, lines(one_out) + lines(two_out))) == list(range(2 * RECORDS)), "everything, nothing twice")
    finally:
        for process in (one, two):
            if process:
                process.terminate()
                process.wait(timeout=DEADLINE_S)


def administer(tools):
    check(tools.groups("--list").split() == ["java"], "the group is listed")
    check("Empty" in tools.groups("--list", "--state"), "and empty")
    check(tools.groups("--list", "--state", "Stable").split()[:1] != ["java"], "filtered by state")
    described = rows(tools.groups("--describe", "--group", "java"))
    check(len(described) == PARTITIONS and all(row[2] == "0" for row in described.values()), f"no lag: {described}")
    tools.groups("--reset-offsets", "--group", "java", "--topic", "events", "--to-earliest", "--execute")
    described = rows(tools.groups("--describe", "--group", "java"))
    check(sum(int(row[2]) for row in described.values()) == 2 * RECORDS, f"reset to the beginning: {described}")
    tools.groups("--reset-offsets", "--group", "java", "--topic", "events:0", "--to-latest", "--execute")
    tools.groups("--delete-offsets", "--group", "java", "--topic", "events:1")
    described = rows(tools.groups("--describe", "--group", "java"))
    check(described[0][2] == "0" and 1 not in described, f"one reset, one deleted: {described}")
    tools.server.kill()
    tools.server.start()
    check(rows(tools.groups("--describe", "--group", "java")) == described, "the same after kill -9")


def print_records(tools):
    """Kafka's decoders read the topic, from the log's files and as a consumer."""
    tools.server.stop()
    shown = ""
    for log in sorted(tools.server.data.glob("topics/__consumer_offsets-*/*.log")):
        shown += tools.run("DumpLogSegments", "--files", str(log), "--deep-iteration", "--offsets-decoder")
    check(re.search(r'"group":"java","topic":"events","partition":0', shown), f"offsets are printed: {shown[-2000:]}")
    check("protocolType" in shown, "and the group")
    tools.server.start()
    everything = ("--topic", "__consumer_offsets", "--from-beginning", "--timeout-ms", "5000")
    formatter = "org.apache.kafka.tools.consumer.OffsetsMessageFormatter"
    out = tools.run("consumer.ConsoleConsumer", *tools.at(), *everything, "--formatter", formatter)
    check('"group":"java"' in out and '"topic":"events"' in out, f"the console consumer prints offsets: {out[-1000:]}")
    formatter = "org.apache.kafka.tools.consumer.GroupMetadataMessageFormatter"
    out = tools.run("consumer.ConsoleConsumer", *tools.at(), *everything, "--formatter", formatter)
    check('"protocolType":"consumer"' in out and '"generation"' in out, f"and groups: {out[-1000:]}")


def main():
    need("java", "mvn")
    libs = kafka_jars()
    server = Server(options=("--set", f"num.partitions={PARTITIONS}", "--set", "auto.create.topics.enable=true"))
    try:
        server.start()
        server.options += ["--set", f"kafka.port={server.port('kafka')}"]
        tools = Tools(libs, server)
        tools.produce(0)
        members_share(tools)
        administer(tools)
        print_records(tools)
        tools.groups("--delete", "--group", "java")
        check("java" not in tools.groups("--list").split(), "a deleted group is not listed")
        server.kill()
        server.start()
        check("java" not in tools.groups("--list").split(), "nor after kill -9")
        print("console consumers, rebalance, list, describe, reset, delete-offsets, delete, dump-log, formatters: as in Kafka")
    finally:
        server.abandon()


main()
