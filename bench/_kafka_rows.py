"""The rows that need Apache Kafka beside millrace: its own perf tools, librdkafka and a paced generator against both; and,
of millrace alone, what only grows with the number of partitions.

One measurement is one work on one server, half a minute or so; what was measured is kept in build/bench/peer.jsonl, so that
the table can be made of several calls (`bench/run peer --only WORK --servers NAME`), and of the newest runs of each.
"""
import json
import subprocess
import time

import _scale_rows
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
    """Reads what a producer has just written; the second reading counts, the first warms broker and page cache up."""
    records = 500_000 if bench.quick else 2_000_000
    create_topic(server, "read", PARTITIONS)
    written = bench.generate("kafka", server, "--topic", "read", "--partitions", PARTITIONS, "--record-bytes", SIZE,
                             "--warmup", 0, "--rate", records // 10, "--duration", 10)
    records = int(written["total_acknowledged"])
    consumer_performance(bench.o.load_core, server.kafka, "read", records)
    result = with_cpu(server, lambda result: result["records"] * SIZE, lambda: consumer_performance(
        bench.o.load_core, server.kafka, "read", records))
    return {**result, "per_s": result["mb_per_s"] * 1e6 / SIZE}


def fetch(bench, server, *, cold):
    """`millrace bench` as the consumer, which costs less than the server: from memory again and again, or once with every
    page dropped."""
    megabytes = 2000 if cold else 100
    create_topic(server, "fetch", PARTITIONS)
    written = bench.generate("kafka", server, "--topic", "fetch", "--partitions", PARTITIONS, "--record-bytes", 1024,
                             "--warmup", 0, "--rate", megabytes * 100, "--linger", "200ms", "--duration",
                             10)["total_acknowledged"]
    if cold:
        server.restart()
        subprocess.run(["sync"], check=True)
        try:
            with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as drop:
                drop.write("1\n")
        except OSError as error:
            raise Failure(f"cold reads need root: {error}") from None

    def read():
        result = bench.generate("kafka", server, "--topic", "fetch", "--partitions", PARTITIONS, "--record-bytes", 1024,
                                "--no-create", "--producers", 0, "--consumers", 1, "--from-start", "--duration", 600)
        if result["total_fetched"] < written:
            raise Failure(f"{result['total_fetched']:,.0f} records were read of {written:,.0f}")
        return result

    for _ in range(0 if cold else 10):
        read()  # the broker's JIT
    before = cpu_seconds(server.pid)
    passes = [read() for _ in range(1 if cold else 20)]
    seconds = sum(one["seconds"] for one in passes)
    there = sum(one["total_fetched"] for one in passes) * 1024
    return {"per_s": there / 1024 / seconds, "mb_per_s": there / 1e6 / seconds,
            "cores": sum(one["generator_cores"] * one["seconds"] for one in passes) / seconds,
            "cpu_s_per_gb": (cpu_seconds(server.pid) - before) / (there / 1e9)}


def paced(bench, server):
    words = ["--topic", "paced", "--partitions", 16, "--record-bytes", SIZE, "--rate", 10_000, "--linger", 0,
             "--batches-per-request", 16, "--warmup", 10 if not bench.quick else 2, "--duration", 20 if not bench.quick else 3,
             "--consumers", 1]
    create_topic(server, "paced", 16)
    result = bench.generate("kafka", server, *words)
    if "e2e_p50_us" not in result:
        raise Failure(f"the consumer got nothing: {result['problem']} {result['trouble']}")
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


def many(bench, server, partitions):
    """As librdkafka(); every partition has its files before, written gently: the peak of memory is to be this load's."""
    create_topic(server, "bench", partitions)
    bench.generate("kafka", server, "--topic", "bench", "--partitions", partitions, "--no-create", "--record-bytes", SIZE,
                   "--batch-bytes", 4096, "--rate", 100_000, "--warmup", 0, "--duration", 6)
    return librdkafka(bench, server, partitions)


def closed_loop(bench, server, partitions):
    """`millrace bench` as producer, whose batches do not get smaller with the number of partitions."""
    words = ["--topic", "bench", "--partitions", partitions, "--record-bytes", SIZE, "--batches-per-request", 64,
             "--batch-bytes", 16384, "--idempotent"]
    create_topic(server, "bench", partitions)
    bench.generate("kafka", server, *words, "--warmup", 0, "--duration", 6)
    result = bench.generate("kafka", server, *words, "--warmup", 2, "--duration", bench.seconds)
    return {"per_s": result["acknowledged_per_s"], "mb_per_s": result["acknowledged_per_s"] * SIZE / 1e6,
            "cores": result["generator_cores"], "cpu_s_per_gb": result["cpu_s_per_gb"],
            **{name: result[f"ack_{name}_us"] / 1000 for name in ("p50", "p99", "p999")}}


WORKS = {  # name: (title, measurement, servers it is not measured with)
    "java-producer": ("1: kafka-producer-perf-test, 300 B, 64 partitions, its defaults", java_producer, ()),
    "librdkafka": ("2: librdkafka, 300 B, 64 random partitions, idempotent, linger 5 ms", librdkafka, ()),
    "one-partition": ("3: librdkafka, 1 KiB, one partition, idempotent", lambda b, s: librdkafka(b, s, 1, 1024),
                      ("kafka-durable",)),
    "paced": ("4, 5: 10,000 records/s paced, 300 B, 16 partitions, linger 0", paced, ()),
    "java-consumer": ("6: kafka-consumer-perf-test, 300 B, second reading", java_consumer, ("kafka-durable",)),
    "fetch": ("6: millrace bench as consumer, 1 KiB in batches of 30 KiB, the newest 100 MB, 20 times",
              lambda b, s: fetch(b, s, cold=False), ("kafka-durable",)),
    "fetch-cold": ("6: the same, up to 2 GB after a restart and with no page cached", lambda b, s: fetch(b, s, cold=True),
                   ("kafka-durable",)),
    "librdkafka-1000": ("7, 9: as 2, 1,000 partitions", lambda b, s: many(b, s, 1000), ("kafka-durable",)),
    "librdkafka-10000": ("9: as 2, 10,000 partitions", lambda b, s: many(b, s, 10_000), ("kafka", "kafka-durable")),
    "closed-64": ("9: millrace bench, 16 KiB batches, 64 partitions", lambda b, s: closed_loop(b, s, 64),
                  ("kafka", "kafka-durable")),
    "closed-1000": ("9: the same, 1,000 partitions", lambda b, s: closed_loop(b, s, 1000), ("kafka", "kafka-durable")),
    "closed-10000": ("9: the same, 10,000 partitions", lambda b, s: closed_loop(b, s, 10_000), ("kafka", "kafka-durable")),
}
SERVERS = {"millrace": Millrace, "kafka": Kafka, "kafka-durable": lambda core: Kafka(core, durable=True)}


def maker(work, server):
    """Starts `server` for `work`; None: the two do not go together."""
    if work in _scale_rows.WORKS:
        return _scale_rows.make(work, server)
    return None if server in WORKS[work][2] else SERVERS[server]


def measure(bench):
    """Measures what was asked for and adds it to what is kept; the table of everything that is kept."""
    all_works = {**WORKS, **_scale_rows.WORKS}
    names = [name for name in bench.o.only.split(",") if name] or list(all_works)
    servers = [name for name in bench.o.servers.split(",") if name] or list(SERVERS)
    for wrong in [name for name in names if name not in all_works] + [name for name in servers if name not in SERVERS]:
        raise Failure(f"peer: no '{wrong}'; there are {' '.join(all_works)} and {' '.join(SERVERS)}")
    for run in range(0 if bench.o.table else bench.runs):
        for work, name in [(work, name) for work in names for name in servers if maker(work, name)]:
            with maker(work, name)(bench.o.server_core) as server:
                try:
                    result = all_works[work][1](bench, server)
                except Failure as failure:
                    bench.failures.append(f"{server.label}, {work}: {failure}")
                    print(f"   FAILED: {server.label}, {work}: {failure}", flush=True)
                    continue
                result.setdefault("rss_mib", rss_mib(server.pid)[1])
                result.update(work=work, server=name, label=server.label)
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
    for work, (title, _, _) in WORKS.items():
        for name in SERVERS:
            results = found.get((work, name), [])[-5:]
            if not results:
                continue
            key = "p99" if work == "paced" else "per_s"  # what orders the runs
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
            f"{table(head, rows)}\n\n{ratios(medians)}{_scale_rows.page(found)}")


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
              ("librdkafka-1000", "rss_mib", 244, "MiB resident at most", False),
              ("fetch", "mb_per_s", 1000, "MB/s", True), ("fetch-cold", "mb_per_s", 600, "MB/s", True))
    for work, key, limit, unit, least in limits:
        run = medians.get((work, "millrace"))
        if run:
            met = run[key] >= limit if least else run[key] <= limit
            sign = '≥' if least else '≤'
            lines.append(f"{work} {sign} {limit:g} {unit}: {run[key]:.2f}, **{'met' if met else 'not met'}**")
    for few, many_partitions in (("librdkafka", "librdkafka-10000"), ("closed-64", "closed-10000")):
        few_run, many_run = medians.get((few, "millrace")), medians.get((many_partitions, "millrace"))
        if few_run and many_run:
            ratio = many_run["per_s"] / few_run["per_s"]
            lines.append(f"{many_partitions} ≥ 0.8 × {few}: {ratio:.2f}, **{'met' if ratio >= 0.8 else 'not met'}**")
    ours, peer = medians.get(("java-consumer", "millrace")), medians.get(("java-consumer", "kafka"))
    if ours and peer:
        ratio = peer["cpu_s_per_gb"] / max(ours["cpu_s_per_gb"], 1e-9)
        lines.append(f"java-consumer ≥ 1.5 × kafka's CPU efficiency: {ratio:.2f}, **{'met' if ratio >= 1.5 else 'not met'}**")
    return "Goals: " + "; ".join(lines) + "."
