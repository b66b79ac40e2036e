"""The rows that need Apache Kafka beside millrace: its own perf tools, librdkafka and a paced generator against both.

One measurement is one work on one server, half a minute or so; what was measured is kept in build/bench/peer.jsonl, so that
the table can be made of several calls (`bench/run peer --only WORK --servers NAME`), and of the newest runs of each.
"""
import json
import subprocess
import time

from _kafka_peer import Kafka, consumer_performance, producer_performance
from _results import milliseconds, number, table
from _servers import MILLRACE, WORK, Failure, Millrace, cpu_seconds, rss_mib

SIZE, PARTITIONS = 300, 64
KEPT = WORK / "peer.jsonl"


def create_topic(server, name, partitions):
    """Returns when every partition answers: Apache Kafka acknowledges a topic before its partitions have a leader."""
    done = subprocess.run([MILLRACE, "topics", "create", name, "--partitions", str(partitions), "--if-not-exists", "--kafka",
                           server.kafka], capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise Failure(f"{server.label}: {done.stderr.strip()}")
    look = [MILLRACE, "bench", "kafka", "--kafka", server.kafka, "--topic", name, "--no-create", "--producers", "0",
            "--consumers", "1", "--duration", "0", "--json"]
    for _ in range(60):
        done = subprocess.run(look, capture_output=True, text=True, timeout=60)
        if done.returncode == 0:
            return
        time.sleep(0.5)
    raise Failure(f"{server.label}: topic {name} is not ready: {done.stderr.strip()}")


def with_cpu(server, bytes_of, measure):
    """What `measure()` gives, with the server's CPU seconds per GB of values."""
    before = cpu_seconds(server.pid)
    result = measure()
    result["cpu_s_per_gb"] = (cpu_seconds(server.pid) - before) / max(bytes_of(result) / 1e9, 1e-9)
    return result


def java_producer(bench, server):
    """Warmed up by as long a run: the broker's JIT is in it otherwise."""
    records = 100_000 if bench.quick else 1_000_000
    if "log.flush" in server.label:
        records //= 5  # some 30,000 records/s
    create_topic(server, "java", PARTITIONS)
    producer_performance(bench.o.load_core, server.kafka, "java", records // 2, SIZE)
    result = with_cpu(server, lambda _: records * SIZE, lambda: producer_performance(
        bench.o.load_core, server.kafka, "java", records, SIZE))
    return {**result, "mb_per_s": result["per_s"] * SIZE / 1e6}


def java_consumer(bench, server):
    """Reads what a producer has just written."""
    records = 500_000 if bench.quick else 3_000_000
    create_topic(server, "read", PARTITIONS)
    bench.generate("kafka", server, "--topic", "read", "--partitions", PARTITIONS, "--record-bytes", SIZE, "--warmup", 0,
                   "--rate", records // 5, "--duration", 5)
    result = with_cpu(server, lambda result: result["records"] * SIZE, lambda: consumer_performance(
        bench.o.load_core, server.kafka, "read", records))
    return {**result, "per_s": result["mb_per_s"] * 1e6 / SIZE}


def fetch(bench, server, *, cold):
    """`millrace bench` as the consumer, which costs less than the server: from memory, or with every page dropped."""
    words = ["--topic", "fetch", "--partitions", PARTITIONS, "--record-bytes", 1024]
    megabytes = 2000 if cold else 100
    create_topic(server, "fetch", PARTITIONS)
    bench.generate("kafka", server, *words, "--warmup", 0, "--rate", megabytes * 1000 // 5, "--duration", 5)
    if cold:
        server.restart()
        subprocess.run(["sync"], check=True)
        try:
            with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as drop:
                drop.write("1\n")
        except OSError as error:
            raise Failure(f"cold reads need root: {error}") from None
    before, started = cpu_seconds(server.pid), time.monotonic()
    result = bench.generate("kafka", server, "--topic", "fetch", "--partitions", PARTITIONS, "--no-create", "--producers", 0,
                            "--consumers", 1, "--from-start", "--warmup", 0, "--duration", 0)
    seconds = time.monotonic() - started
    there = result["records_there"] * 1024
    if there < megabytes * 9e5:
        raise Failure(f"{server.label}: {there / 1e6:.0f} MB were read of {megabytes}")
    return {"per_s": there / 1024 / seconds, "mb_per_s": there / 1e6 / seconds, "cores": result["generator_cores"],
            "cpu_s_per_gb": (cpu_seconds(server.pid) - before) / (there / 1e9)}


def paced(bench, server):
    words = ["--topic", "paced", "--partitions", 16, "--record-bytes", SIZE, "--rate", 10_000, "--linger", 0,
             "--batches-per-request", 16, "--warmup", 10 if not bench.quick else 2, "--duration", 20 if not bench.quick else 3,
             "--consumers", 1]
    create_topic(server, "paced", 16)
    result = bench.generate("kafka", server, *words)
    return {"per_s": result["acknowledged_per_s"], "mb_per_s": result["acknowledged_per_s"] * SIZE / 1e6,
            "cores": result["generator_cores"], "cpu_s_per_gb": result["cpu_s_per_gb"],
            **{name: result[f"ack_{name}_us"] / 1000 for name in ("p50", "p99", "p999")},
            "e2e": "/".join(milliseconds(result[f"e2e_{name}_us"]) for name in ("p50", "p99", "p999"))}


def librdkafka(bench, server, partitions=PARTITIONS, size=SIZE):
    client = bench.build_rdkafka_client()
    if not client:
        raise Failure("librdkafka: no client")
    create_topic(server, "bench", partitions)
    result = bench.rdkafka(client, server, partitions, size)
    return {"per_s": result["acknowledged_per_s"], "mb_per_s": result["acknowledged_per_s"] * size / 1e6,
            "cores": result["generator_cores"], "cpu_s_per_gb": result["cpu_s_per_gb"], "problem": result["problem"]}


WORKS = {  # name: (title, measurement)
    "java-producer": ("1: kafka-producer-perf-test, 300 B, 64 partitions, its defaults", java_producer),
    "librdkafka": ("2: librdkafka, 300 B, 64 random partitions, idempotent, linger 5 ms", librdkafka),
    "one-partition": ("3: librdkafka, 1 KiB, one partition, idempotent", lambda b, s: librdkafka(b, s, 1, 1024)),
    "paced": ("4, 5: 10,000 records/s paced, 300 B, 16 partitions, linger 0", paced),
    "java-consumer": ("6: kafka-consumer-perf-test, 300 B, just written", java_consumer),
    "fetch": ("6: millrace bench as consumer, 1 KiB, just written", lambda b, s: fetch(b, s, cold=False)),
    "fetch-cold": ("6: the same, 2 GB after a restart and with no page cached", lambda b, s: fetch(b, s, cold=True)),
}
SERVERS = {"millrace": Millrace, "kafka": Kafka, "kafka-durable": lambda core: Kafka(core, durable=True)}


def measure(bench):
    """Measures what was asked for and adds it to what is kept; the table of everything that is kept."""
    names = [name for name in bench.o.only.split(",") if name] or list(WORKS)
    servers = [name for name in bench.o.servers.split(",") if name] or list(SERVERS)
    for wrong in [name for name in names if name not in WORKS] + [name for name in servers if name not in SERVERS]:
        raise Failure(f"peer: no '{wrong}'; there are {' '.join(WORKS)} and {' '.join(SERVERS)}")
    for run in range(0 if bench.o.table else bench.runs):
        for work in names:
            for name in servers:
                with SERVERS[name](bench.o.server_core) as server:
                    try:
                        result = WORKS[work][1](bench, server)
                    except Failure as failure:
                        bench.failures.append(f"{server.label}, {work}: {failure}")
                        continue
                    result.update(work=work, server=name, label=server.label, rss_mib=rss_mib(server.pid)[1])
                print(f"   {run + 1}/{bench.runs} {result['label']}: {work}: {result}", flush=True)
                with open(KEPT, "a", encoding="utf-8") as kept:
                    kept.write(json.dumps(result) + "\n")
    return page(bench)


def page(bench):
    found = {}
    for line in KEPT.read_text(encoding="utf-8").splitlines() if KEPT.exists() else []:
        result = json.loads(line)
        found.setdefault((result["work"], result["server"]), []).append(result)
    rows, medians = [], {}
    for work, (title, _) in WORKS.items():
        for name in SERVERS:
            results = found.get((work, name), [])[-5:]
            if not results:
                continue
            key = "p99" if work == "paced" else "per_s"
            ordered = sorted(results, key=lambda r: r[key])
            run = medians[work, name] = ordered[len(ordered) // 2]
            latency = "/".join(f"{run[name]:.3g}" for name in ("p50", "p99", "p999")) if "p50" in run else ""
            rows.append((title, run["label"], f"**{number(run['per_s'])}**", f"{run['mb_per_s']:.0f}",
                         f"{ordered[0][key]:,.0f} to {ordered[-1][key]:,.0f} ({len(ordered)})", latency, run.get("e2e", ""),
                         f"{run['cpu_s_per_gb']:.2f}", f"{run['cores']:.2f}", f"{run['rss_mib']:.0f}"))
    head = ("row: work", "server", "records/s", "MB/s of values", "runs (paced: p99)", "acknowledged p50/p99/p99.9 ms",
            "produce to consumer ms", "CPU-s per GB of values", "generator cores", "peak RSS MiB")
    return ("## Beside Apache Kafka\n\nKRaft combined mode, one node, 1 GiB heap, the flags of its own start script; acks=all "
            "everywhere. Apache Kafka's defaults never sync; with log.flush.interval.messages=1 it syncs before it "
            "acknowledges, as millrace always does. Server on core "
            f"{bench.o.server_core}, generator on core {bench.o.load_core}. Median of the newest runs, at most five.\n\n"
            f"{table(head, rows)}\n\n{ratios(medians)}")


def ratios(medians):
    lines = []
    for work, ahead, of in (("java-producer", 10, "kafka-durable"), ("java-producer", 1.5, "kafka"),
                            ("librdkafka", 1.5, "kafka-durable"), ("librdkafka", 1.2, "kafka"), ("one-partition", 1.2, "kafka")):
        if (work, "millrace") in medians and (work, of) in medians:
            ratio = medians[work, "millrace"]["per_s"] / medians[work, of]["per_s"]
            lines.append(f"{work} ≥ {ahead} × {of}: {ratio:.2f}, **{'met' if ratio >= ahead else 'not met'}**")
    limits = (("librdkafka", "cpu_s_per_gb", 1, "CPU-s/GB", False), ("one-partition", "mb_per_s", 300, "MB/s", True),
              ("paced", "p50", 1, "ms p50", False), ("paced", "p99", 4, "ms p99", False),
              ("paced", "p999", 15, "ms p99.9", False),
              ("fetch", "mb_per_s", 1000, "MB/s", True), ("fetch-cold", "mb_per_s", 600, "MB/s", True))
    for work, key, limit, unit, least in limits:
        run = medians.get((work, "millrace"))
        if run:
            met = run[key] >= limit if least else run[key] <= limit
            sign = '≥' if least else '≤'
            lines.append(f"{work} {sign} {limit:g} {unit}: {run[key]:.2f}, **{'met' if met else 'not met'}**")
    ours, peer = medians.get(("java-consumer", "millrace")), medians.get(("java-consumer", "kafka"))
    if ours and peer:
        ratio = peer["cpu_s_per_gb"] / max(ours["cpu_s_per_gb"], 1e-9)
        lines.append(f"java-consumer ≥ 1.5 × kafka's CPU efficiency: {ratio:.2f}, **{'met' if ratio >= 1.5 else 'not met'}**")
    return "Goals: " + "; ".join(lines) + "."
