"""Apache Kafka's own tools (Java): console producer with every compression (idempotent by default), console consumer, topics,
offsets, and the performance producer."""
# timeout: 900
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scenarios"))
from _kafka_jars import kafka_jars, run  # noqa: E402
from _server import check, need, serving  # noqa: E402

COUNT = 500


def main():
    need("java", "mvn")
    libs = kafka_jars()
    with serving(options=("--set", "auto.create.topics.enable=true")) as server:
        at = ("--bootstrap-server", server.ports["kafka"])
        run(libs, "TopicCommand", *at, "--create", "--topic", "java", "--partitions", "1", "--config", "retention.ms=3600000")
        check("java" in run(libs, "TopicCommand", *at, "--list").split(), "kafka-topics --list names the topic")
        wanted = []
        for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
            lines = [f"device-{i % 9}:{codec} {i} " + "x" * 100 for i in range(COUNT)]
            run(libs, "ConsoleProducer", *at, "--topic", "java", "--reader-property", "parse.key=true", "--reader-property",
                "key.separator=:", "--compression-codec", codec, data="\n".join(lines) + "\n")
            wanted += lines
        got = run(libs, "consumer.ConsoleConsumer", *at, "--topic", "java", "--partition", "0", "--offset", "earliest",
                  "--max-messages", str(len(wanted)), "--formatter-property", "print.key=true", "--formatter-property",
                  "key.separator=:")
        check([line for line in got.splitlines() if ":" in line] == wanted, "what comes out is what went in, in order")
        check(f"java:0:{len(wanted)}" in run(libs, "GetOffsetShell", *at, "--topic", "java"), "the end offset is the count")
        out = run(libs, "ProducerPerformance", "--topic", "java-perf", "--num-records", "100000", "--record-size", "300",
                  "--throughput", "-1", "--producer-props", f"bootstrap.servers={server.ports['kafka']}", "acks=all")
        check(re.search(r"100000 records sent", out), out)
        print(out.strip().splitlines()[-1])
        run(libs, "TopicCommand", *at, "--delete", "--topic", "java")


main()
