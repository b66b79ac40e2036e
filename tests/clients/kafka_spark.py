"""Spark Structured Streaming's Kafka source and sink: a stream reads a topic, writes another, and again from its checkpoint."""
# timeout: 900
import subprocess
import sys
import venv
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scenarios"))
from _kafka_jars import maven_jars  # noqa: E402
from _server import SOURCE, Server, check, need, scratch, skip  # noqa: E402

PACKAGE = "pyspark==4.0.1"
SPARK = "org.apache.spark"
JARS = [(SPARK, "spark-sql-kafka-0-10_2.13", "4.0.0"), (SPARK, "spark-token-provider-kafka-0-10_2.13", "4.0.0"),
        ("org.apache.kafka", "kafka-clients", "3.9.0"), ("org.apache.commons", "commons-pool2", "2.12.0")]
RECORDS = 2000


def environment():
    """The interpreter of a virtual environment with pyspark, kept between runs."""
    folder = SOURCE / "build" / "clients-spark"
    python, stamp = folder / "bin" / "python", folder / "packages"
    if not stamp.exists() or stamp.read_text() != PACKAGE:
        venv.create(folder, with_pip=True)
        command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        if done.returncode != 0:
            skip(f"pip could not install {PACKAGE}: {done.stderr.strip().splitlines()[-1:]}")
        stamp.write_text(PACKAGE)
    return python


def produce(server, first):
    lines = "".join(f"k{i % 19}:line {i}\n" for i in range(first, first + RECORDS))
    command = ["kcat", "-b", server.ports["kafka"], "-P", "-t", "in", "-K", ":", "-H", "source=kcat"]
    done = subprocess.run(command, input=lines, text=True, timeout=60)
    check(done.returncode == 0, "kcat produces")


def main():
    need("java", "mvn", "kcat")
    python, libs = environment(), maven_jars("clients-spark-jars", JARS, transitive=False)
    jars = ",".join(str(jar) for jar in sorted(libs.glob("*.jar")))
    server = Server(config="topics:\n- {name: in, partitions: 3}\n- {name: out, partitions: 2}\n")
    try:
        server.start()
        for life in range(2):
            produce(server, life * RECORDS)
            job = Path(__file__).with_name("_spark_job.py")
            command = [python, "-B", job, server.ports["kafka"], scratch() / "checkpoint", jars]
            done = subprocess.run(command, capture_output=True, text=True, timeout=300)
            check(done.returncode == 0, f"the job ended with {done.returncode}: {done.stderr[-3000:]}")
            got = sorted(server.consume("out", form="%k:%s\n"))
            wanted = sorted(f"k{i % 19}:LINE {i}" for i in range((life + 1) * RECORDS))
            check(got == wanted, f"every record once: {len(got)} for {len(wanted)}")
            print(done.stdout.strip())
    finally:
        server.abandon()


main()
