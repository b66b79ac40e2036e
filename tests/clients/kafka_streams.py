"""Kafka Streams' word count (at-least-once): repartition and changelog topics, through kill -9 of the server and of the
application; no word is lost."""
# timeout: 900
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scenarios"))
from _kafka_jars import kafka_jars  # noqa: E402
from _server import DEADLINE_S, Server, check, need, scratch, wait_until  # noqa: E402

WORDS = ("temperature", "pressure", "speed", "humidity", "voltage")
LINES = 400


class Application:
    def __init__(self, libs, server):
        program = Path(__file__).with_name("WordCount.java")
        log4j = scratch() / "log4j2.xml"
        log4j.write_text('<Configuration><Appenders><Console name="C" target="SYSTEM_ERR"/></Appenders><Loggers>'
                         '<Root level="WARN"><AppenderRef ref="C"/></Root></Loggers></Configuration>')
        command = ["java", "-Xmx512M", "-XX:TieredStopAtLevel=1", f"-Dlog4j2.configurationFile={log4j}", "-cp", f"{libs}/*",
                   str(program), server.ports["kafka"], str(scratch() / "state")]
        self.process = subprocess.Popen(command, stdout=open(scratch() / "streams.log", "ab"), stderr=subprocess.STDOUT)

    def end(self, kill):
        (self.process.kill if kill else self.process.terminate)()
        self.process.wait(timeout=60)


def produce(server, first):
    lines = "".join(f"k{i % 17}:{WORDS[i % 5]} {WORDS[(i // 5) % 5]}\n" for i in range(first, first + LINES))
    command = ["kcat", "-b", server.ports["kafka"], "-P", "-t", "words-in", "-K", ":"]
    done = subprocess.run(command, input=lines, text=True, timeout=DEADLINE_S)
    check(done.returncode == 0, "kcat produces")


def counts(server):
    """The last count of every word."""
    return {key: int(value) for key, value in (line.split("\t") for line in server.consume("words-out", form="%k\t%s\n"))}


def wanted(lines):
    exact = dict.fromkeys(WORDS, 0)
    for i in range(lines):
        exact[WORDS[i % 5]] += 1
        exact[WORDS[(i // 5) % 5]] += 1
    return exact


def reached(server, lines):
    now, exact = counts(server), wanted(lines)
    return all(now.get(word, 0) >= exact[word] for word in WORDS)


def main():
    need("java", "mvn", "kcat")
    libs = kafka_jars("kafka-streams")
    server = Server(config="topics:\n- {name: words-in, partitions: 3}\n- {name: words-out, partitions: 3}\n")
    application = None
    try:
        server.start()
        server.options += ["--set", f"kafka.port={server.port('kafka')}"]
        produce(server, 0)
        application = Application(libs, server)
        wait_until(lambda: reached(server, LINES), "every word is counted", 120)
        check(counts(server) == wanted(LINES), "exactly, when nothing fails")
        server.kill()
        server.start()
        produce(server, LINES)
        wait_until(lambda: reached(server, 2 * LINES), "counted on after kill -9 of the server", 120)
        application.end(kill=True)
        produce(server, 2 * LINES)
        application = Application(libs, server)
        wait_until(lambda: reached(server, 3 * LINES), "counted on after kill -9 of the application", 120)
        over = sum(counts(server).values()) - sum(wanted(3 * LINES).values())
        check(over < LINES, f"at least once, and not from the beginning: {over} too many")
        application.end(kill=False)
        print(f"{6 * LINES} words counted through two kills, {over} of them twice")
    finally:
        if application and application.process.poll() is None:
            application.end(kill=True)
        server.abandon()


main()
