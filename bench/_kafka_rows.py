"""The rows that need Apache Kafka beside millrace: its own perf tools, librdkafka and a paced generator against both."""
import subprocess

from _kafka_peer import Kafka, consumer_performance, producer_performance
from _results import milliseconds, number, table
from _servers import MILLRACE, Failure, Millrace, cpu_seconds

SIZE, PARTITIONS = 300, 64


def create_topic(server, name, partitions):
    done = subprocess.run([MILLRACE, "topics", "create", name, "--partitions", str(partitions), "--if-not-exists", "--kafka",
                           server.kafka], capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise Failure(f"{server.label}: {done.stderr.strip()}")


def with_cpu(server, bytes_of, measure):
    """What `measure()` gives, with the server's CPU seconds per GB of values."""
    before = cpu_seconds(server.pid)
    result = measure()
    result["cpu_s_per_gb"] = (cpu_seconds(server.pid) - before) / max(bytes_of(result) / 1e9, 1e-9)
    return result


def java_producer(bench, server):
    records = 200_000 if bench.quick else 1_500_000
    create_topic(server, "java", PARTITIONS)
    producer_performance(bench.o.load_core, server.kafka, "java", records // 5, SIZE)  # warm
    return with_cpu(server, lambda _: records * SIZE, lambda: producer_performance(
        bench.o.load_core, server.kafka, "java", records, SIZE))


def java_consumer(bench, server):
    """What java_producer wrote: all in the page cache; of millrace partly in its own memory."""
    records = 200_000 if bench.quick else 1_500_000
    return with_cpu(server, lambda result: result["records"] * SIZE, lambda: consumer_performance(
        bench.o.load_core, server.kafka, "java", records))


def paced(bench, server):
    words = ["--topic", "paced", "--partitions", 16, "--record-bytes", SIZE, "--rate", 10_000, "--linger", 0,
             "--batches-per-request", 16, "--warmup", bench.warmup, "--duration", bench.seconds, "--consumers", 1]
    result = bench.generate("kafka", server, *words)
    return {"per_s": result["acknowledged_per_s"], "cores": result["generator_cores"], "cpu_s_per_gb": result["cpu_s_per_gb"],
            **{name: result[f"ack_{name}_us"] / 1000 for name in ("p50", "p99", "p999")},
            "e2e": "/".join(milliseconds(result[f"e2e_{name}_us"]) for name in ("p50", "p99", "p999"))}


def librdkafka(bench, server, client):
    result = bench.rdkafka(client, server, PARTITIONS, SIZE)
    return {"per_s": result["acknowledged_per_s"], "cores": result["generator_cores"], "cpu_s_per_gb": result["cpu_s_per_gb"]}


def measure(bench):
    """The table, as text."""
    core, client, found = bench.o.server_core, bench.build_rdkafka_client(), {}
    for number_of_run in range(bench.runs):
        for make in (lambda: Millrace(core), lambda: Kafka(core), lambda: Kafka(core, durable=True)):
            with make() as server:
                works = [("kafka-producer-perf-test, 300 B, 64 partitions", java_producer),
                         ("kafka-consumer-perf-test of that", java_consumer),
                         ("10,000 records/s paced, 16 partitions, linger 0", paced)]
                if client:
                    works.append(("librdkafka, 300 B, 64 random partitions, idempotent", lambda b, s: librdkafka(b, s, client)))
                for work, run in works:
                    result = run(bench, server)
                    found.setdefault(work, {}).setdefault(server.label, []).append(result)
                    print(f"   {number_of_run + 1}/{bench.runs} {server.label}: {work}: {result}", flush=True)
    rows = []
    for work, servers in found.items():
        for label, results in servers.items():
            rate = "mb_per_s" if "mb_per_s" in results[0] else "per_s"
            ordered = sorted(results, key=lambda r: r[rate])
            run = ordered[len(ordered) // 2]
            latency = "/".join(f"{run[name]:g}" for name in ("p50", "p99", "p999")) if "p50" in run else ""
            unit = " MB/s" if rate == "mb_per_s" else " records/s"
            rows.append((work, label, f"**{number(run[rate])}**{unit}", latency, run.get("e2e", ""),
                         f"{run['cpu_s_per_gb']:.2f}", f"{run['cores']:.2f}"))
    head = ("work", "server", "rate", "acknowledged after p50/p99/p99.9 ms", "produce to consumer ms", "CPU-s per GB of values",
            "generator cores")
    return ("## Beside Apache Kafka\n\nKRaft combined mode, one node, 1 GiB heap; acks=all everywhere. Apache Kafka's defaults "
            f"never sync; millrace acknowledges after fdatasync.\n\n{table(head, rows)}")
