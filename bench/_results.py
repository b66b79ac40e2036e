"""Turns measurements into the tables of bench/RESULTS.md."""
import re
import subprocess


def number(value):
    return f"{value:,.0f}"


def milliseconds(us):
    ms = us / 1000
    return f"{ms:.2f}" if ms < 10 else f"{ms:,.0f}"


def spread(values):
    return f"{number(min(values))} to {number(max(values))}" if len(values) > 1 else "one run"


def table(head, rows):
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in (head, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]])


def verdict(goals):
    return "Goals: " + "; ".join(f"{text}: **{'met' if met else 'not met'}**" for text, met in goals) + "."


def core(run):
    saturated = " SATURATED" if run["generator_cores"] > 0.9 else ""
    return f"{run['generator_cores']:.2f}{saturated}"


def problems(rows):
    return "".join(f"\n\n{server.label}: {run['problem']}." for server, run, _ in rows if run.get("problem"))


def throughput(title, text, rows, unit, ratio, goals):
    body = [(server.label, run.get("durability", server.durability), f"**{number(run['acknowledged_per_s'])}**", spread(values),
             f"{run['cpu_s_per_million']:.2f}", f"{run['server_cores']:.2f}", core(run), f"{run['server_rss_mib']:.0f}")
            for server, run, values in rows]
    head = ("server", "durability", unit, "runs", "CPU-s per million", "server cores", "generator cores", "RSS MiB")
    return (f"## {title}\n\n{text}\n\n{table(head, body)}\n\nRatio to {rows[1][0].label}: **{ratio:.2f}**. {verdict(goals)}"
            f"{problems(rows)}")


def latency(title, text, rows, rate, goals):
    body = []
    for server, run, _ in rows:
        kept = "" if run["acknowledged_per_s"] >= 0.99 * rate else " (cannot keep the rate)"
        body.append((server.label, server.durability, number(run["acknowledged_per_s"]) + kept,
                     *(milliseconds(run[f"ack_{p}_us"]) for p in ("p50", "p90", "p99", "p999", "max")),
                     milliseconds(run["late_p99_us"]), f"{run['cpu_s_per_million']:.2f}", core(run)))
    head = ("server", "durability", "msg/s", "p50 ms", "p90", "p99", "p99.9", "max", "sent late p99", "CPU-s per million",
            "generator cores")
    return f"## {title}\n\n{text}\n\n{table(head, body)}\n\n{verdict(goals)}{problems(rows)}"


def kafka(title, text, rows, goals):
    body = [(client, f"**{number(run['acknowledged_per_s'])}**", spread(values), f"{run['cpu_s_per_gb']:.2f}",
             f"{run['cpu_s_per_million']:.2f}", f"{run['server_cores']:.2f}", core(run), f"{run['server_rss_mib']:.0f}")
            for client, (_, run, values) in rows]
    head = ("client", "records/s", "runs", "CPU-s per GB of values", "per million records", "server cores", "generator cores",
            "RSS MiB")
    return f"## {title}\n\n{text}\n\n{table(head, body)}\n\n{verdict(goals)}{problems([r for _, r in rows])}"


def start(rows, goals):
    body = [(server.label, f"{starts[len(starts) // 2]:.0f}", f"{starts[0]:.0f} to {starts[-1]:.0f}",
             f"{rss[len(rss) // 2]:.1f}") for server, starts, rss in rows]
    head = ("server", "ready after ms", f"{len(rows[0][1])} starts", "idle RSS MiB")
    text = ("From exec to the ready line on an empty data directory, with the rule and its topics (Mosquitto: until it accepts a "
            "connection). RSS half a second later.")
    return f"## Start and idle memory\n\n{text}\n\n{table(head, body)}\n\n{verdict(goals)}"


def profile(perf_data):
    """Self time by function and by place, of the QoS 1 row."""
    def report(*keys):
        done = subprocess.run(["perf", "report", "-i", str(perf_data), "--stdio", "--no-children", "-g", "none",
                               "--percent-limit", "1", "-F", "overhead," + ",".join(keys)], capture_output=True, text=True)
        rows = re.findall(r"^\s+(\d+\.\d+)%\s+(.+?)\s*$", done.stdout, re.M)
        return [(f"{share} %", f"`{shorten(what) or 'unknown'}`") for share, what in rows]

    def shorten(name):
        name = re.sub(r"^\[[.k]\]\s*", "", name)
        while re.search(r"<[^<>]*>", name):  # template arguments say little here
            name = re.sub(r"<[^<>]*>", "", name)
        name = re.sub(r"\(.*", "", name).replace("millrace::", "")
        return name.replace("|", "/")[-90:]

    return ("## Where the server's time goes\n\nperf, own time per function, during the QoS 1 row.\n\n"
            + table(("share", "thread"), report("comm")) + "\n\n" + table(("share", "object"), report("dso")) + "\n\n"
            + table(("share", "function"), report("sym")[:30]))


def page(when, machine, syncs, versions, bench):
    sync = "; ".join(f"{name} {p50:.2f} / {p99:.1f} ms" for name, (p50, p99) in syncs.items())
    quick = "\n\n**Quick mode: few seconds per row, one run each. Indicative only.**" if bench.quick else ""
    commands = "\n".join(f"{command}" for command in bench.commands)
    failed = "".join(f"\n\n**Not measured.** {text}" for text in bench.failures)
    runs = "one run" if bench.runs == 1 else f"the median of {bench.runs} runs"
    looked = ""
    if bench.checked:
        looked = ("\nAfter every MQTT run millrace's log was asked for what had been acknowledged "
                  f"({number(bench.checked)} messages in all);\na difference stands under the row.")
    return f"""# Benchmark results

Made by `./dev bench` on {when:%Y-%m-%d %H:%M} UTC. {versions}.{quick}

Machine: {machine}.
Its disk in this run, one write and fdatasync, p50 / p99: {sync}.

Server pinned to core {bench.o.server_core}, generator to core {bench.o.load_core} (`taskset`), over loopback.
Every run starts on an empty data directory, servers taking turns. A throughput is {runs}, after {bench.warmup} s of
warm-up, measured for {bench.seconds} s. CPU is user and system time of the server's process. SATURATED: the generator was
the limit. Ratios within this page may be compared, figures of different machines may not.{looked}{failed}

{(chr(10) * 2).join(bench.tables)}

## Commands

```
{commands}
```
"""
