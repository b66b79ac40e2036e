"""Rows 7 to 9: memory, starts, and thousands of partitions. What is measured here has a start time or memory as its result;
the loads themselves stand in _kafka_rows.py."""
import re
import signal
import statistics
import subprocess
import time

from _kafka_peer import Kafka
from _results import number, table
from _servers import MILLRACE, Failure, Millrace, rss_mib

FILL_GB, TAIL_GB = 8, 1
# The journal must be able to hold the tail, and no checkpoint may shorten it.
LONG_JOURNAL = [word for setting in ("journal.max.bytes=3GiB", "journal.checkpoint.bytes=3GiB",
                                     "journal.checkpoint.interval.ms=3600000") for word in ("--set", setting)]


def create(server, partitions):
    done = subprocess.run([MILLRACE, "topics", "create", "scale", "--partitions", str(partitions), "--kafka", server.kafka],
                          capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise Failure(f"{server.label}: {done.stderr.strip()}")


def fill(bench, server, partitions, gigabytes, megabytes_per_s=400):
    return bench.generate("kafka", server, "--topic", "scale", "--partitions", partitions, "--no-create", "--record-bytes", 1000,
                   "--batch-bytes", 65536, "--warmup", 0, "--rate", megabytes_per_s * 1000, "--duration",
                   gigabytes * 1000 / megabytes_per_s)


def starts(server, again):
    """Median milliseconds to ready of some starts, each after `again()` ended the server; and what it holds at rest."""
    times = []
    for _ in range(5):
        again()
        server.__enter__()
        times.append(server.ready_ms)
    time.sleep(0.5)
    return {"ready_ms": statistics.median(times), "rss_mib": rss_mib(server.pid)[0]}


def idle(bench, server):
    create(server, 100)
    time.sleep(2)
    return {"ready_ms": server.ready_ms, "rss_mib": rss_mib(server.pid)[0]}


def clean(bench, server, partitions, gigabytes):
    create(server, partitions)
    fill(bench, server, partitions, gigabytes)
    started = time.monotonic()
    server.end()
    stopped = (time.monotonic() - started) * 1000
    server.__enter__()
    return {**starts(server, server.end), "stop_ms": stopped}


def killed(bench, server):
    create(server, 1000)
    # Its first gigabyte goes to journal files that have to be made: how much of a rate is kept is not known.
    there = 0
    for _ in range(40):
        there += fill(bench, server, 1000, TAIL_GB / 8)["total_acknowledged"] * 1000
        if there >= TAIL_GB * 1e9:
            break

    def kill():
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        server.end()

    kill()
    server.__enter__()
    ready, opened = server.ready_ms, (server.folder / "log").read_text(errors="replace")
    replayed = re.findall(r"bytes_replayed\W+(\d+)", opened)
    if not replayed or int(replayed[-1]) < TAIL_GB * 9e8:
        raise Failure(f"millrace: only {replayed} bytes of journal were replayed")
    return {"ready_ms": ready, "rss_mib": rss_mib(server.pid)[0], "replayed_mb": int(replayed[-1]) / 1e6}


WORKS = {  # name: (title, measurement, server options, goals: (key, limit))
    "idle": ("start empty; then idle with 100 partitions", idle, (), {"ready_ms": 50, "rss_mib": 38.1}),
    "clean-1000": (f"start after a clean stop, 1,000 partitions, {FILL_GB} GB",
                   lambda b, s: clean(b, s, 1000, FILL_GB), (), {"ready_ms": 150}),
    "clean-10000": ("start after a clean stop, 10,000 partitions, 2 GB", lambda b, s: clean(b, s, 10_000, 2), (),
                    {"ready_ms": 1000, "stop_ms": 10_000}),
    "killed": (f"start after kill -9, 1,000 partitions, {TAIL_GB} GB in the journal since the last checkpoint", killed,
               LONG_JOURNAL, {"ready_ms": 1500}),
}


def make(name, server):
    """The server of one of these works; None: it is not measured with it."""
    if server == "millrace":
        return lambda core: Millrace(core, WORKS[name][2])
    return Kafka if (name, server) == ("idle", "kafka") else None


def page(found):
    rows, goals = [], []
    for name, (title, _, _, limits) in WORKS.items():
        for server in ("millrace", "kafka"):
            runs = found.get((name, server), [])[-5:]
            if not runs:
                continue
            run = sorted(runs, key=lambda one: one["ready_ms"])[len(runs) // 2]
            rows.append((title, run["label"], f"{run['ready_ms']:.0f}", str(len(runs)),
                         number(run["stop_ms"]) if "stop_ms" in run else "", f"{run['rss_mib']:.1f}"))
            if server == "millrace":
                goals += [f"{name} {key.split('_')[0]} ≤ {limit:g}: **{'met' if run[key] <= limit else 'not met'}**"
                          for key, limit in limits.items()]
    if not rows:
        return ""
    head = ("what", "server", "ready after ms", "runs", "clean stop before it, ms", "resident MiB")
    return ("\n\n### Memory and starts\n\nFrom exec to ready, median of five starts where a start repeats itself. Apache Kafka "
            f"is ready when its own tool gets an answer, so that tool's start is in its time.\n\n{table(head, rows)}\n\n"
            f"Goals: {'; '.join(goals)}.")
