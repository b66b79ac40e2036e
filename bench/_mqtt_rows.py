"""The MQTT rows: millrace beside Debian's Mosquitto and FlashMQ, server on one core, generator on the other.

One measurement is one work on one server. What was measured is kept in build/bench/mqtt.jsonl, so that the page can be made of
several calls (`bench/run mqtt --only in1-64 --servers millrace`), and of the newest runs of each. FlashMQ is not part of this
project and nothing here obtains it: `--flashmq PATH` names a program built from its public source.
"""
import json
import re
import resource
import socket
import ssl
import subprocess
import time
import urllib.request

from _results import milliseconds, number, table
from _servers import (MILLRACE, ROOT, WORK, Failure, Millrace, Mosquitto, Process, cpu_seconds, free_port, pinned,
                      rss_mib)

KEPT = WORK / "mqtt.jsonl"
PAGE = ROOT / "bench/MQTT.md"
SYNCED, MEMORY, LOST = "fdatasync before PUBACK", "none (memory)", "not logged"
SERVERS = ("millrace", "flashmq", "mosquitto")


class FlashMq(Process):
    """FlashMQ with its defaults, one thread, no storage: all in memory."""

    label, durability = "FlashMQ", MEMORY

    def __init__(self, core, program):
        self.port = free_port()
        config = WORK / "data/flashmq/flashmq.conf"
        super().__init__("flashmq", [program, "-c", config], core)
        config.write_text(f"log_file {WORK}/data/flashmq/flashmq.log\nthread_count 1\nallow_anonymous true\nlisten {{\n"
                          f"  protocol mqtt\n  inet_protocol ip4\n  inet4_bind_address 127.0.0.1\n  port {self.port}\n}}\n")
        self.mqtt = f"127.0.0.1:{self.port}"

    wait_ready = Mosquitto.wait_ready


def make_server(bench, name):
    core = bench.o.server_core
    if name == "millrace":
        return Millrace(core, config="bench/mqtt.yaml")
    if name == "mosquitto":
        return Mosquitto(core, True)
    if not bench.o.flashmq:
        return None
    return FlashMq(core, bench.o.flashmq)


class Work:
    """One row: how the server is loaded, what of the result counts, and its goal."""

    def __init__(self, title, words, durability, goal, key="acknowledged_per_s", topic=None,
                 peers=("flashmq", "mosquitto"), **more):
        self.title, self.words, self.durability, self.goal, self.key, self.topic, self.peers = (
            title, words, durability, goal, key, topic, peers)
        self.more = more

    def measure(self, bench, server):
        result = bench.generate("mqtt", server, *self.words, *bench.times(self.more))
        if server.kafka and self.topic:
            look = bench.generate("kafka", server, "--topic", self.topic, "--producers", 0, "--consumers", 1, "--duration", 0)
            result["not_in_log"] = result["total_acknowledged"] - look["records_there"]
        return result


def closed(qos, size, *more):
    return ["--publishers", 50, "--qos", qos, "--size", size, "--window", 100, *more]


class Connections(Work):
    """10,000 connections with a subscription each: memory while idle, then all dropped at once and back."""

    def measure(self, bench, server):
        time.sleep(0.5)
        command = [MILLRACE, "bench", "mqtt", "--mqtt", server.mqtt, "--publishers", 0, "--subscribers", 10_000,
                   "--topic", "idle/{n}", "--filter", "idle/x", "--keep-alive", 300, "--duration", 0, "--storm", 3,
                   "--pid", server.pid]
        done = subprocess.run(pinned(bench.o.load_core, command), capture_output=True, text=True, timeout=150)
        pattern = (r"(connect|storm)\s+([\d,]+) of ([\d,]+) in ([\d.]+) s.*?\n"
                   r".*?([\d.]+) us server CPU and (-?[\d.]+) KiB")
        found = re.findall(pattern, done.stdout)
        if len(found) != 4 or any(up != wanted for _, up, wanted, *_ in found):
            raise Failure(f"{server.label}: {done.stdout[-600:]} {done.stderr[-300:]}")
        storms = sorted(float(one[3]) for one in found[1:])
        _, _, _, seconds, us, kib = found[0]
        return {"kib": float(kib), "connect_s": float(seconds), "storm_s": storms[1], "cpu_s_per_million": float(us),
                "generator_cores": 0, "server_rss_mib": rss_mib(server.pid)[0]}


class Overload(Work):
    """The rate without limit first; then three times as much is offered, open loop, and what comes through is compared."""

    def measure(self, bench, server):
        peak = bench.generate("mqtt", server, *self.words, "--window", 100, *bench.times({}))
        rate = int(3 * peak["acknowledged_per_s"])
        result = bench.generate("mqtt", server, *self.words, "--window", 65_000, "--tick", "0.5ms", "--rate", rate,
                                "--warmup", 1, "--duration", bench.seconds, "--drain", 30)
        look = bench.generate("kafka", server, "--topic", self.topic, "--producers", 0, "--consumers", 1, "--duration", 0)
        result["not_in_log"] = peak["total_acknowledged"] + result["total_acknowledged"] - look["records_there"]
        result["peak_per_s"] = peak["acknowledged_per_s"]
        result["share"] = result["acknowledged_per_s"] / peak["acknowledged_per_s"]
        return result


class Tls(Work):
    """Idle connections over TLS, by Python's ssl: memory only, its speed is not the server's."""

    def measure(self, bench, server):
        server.end()
        resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
        folder, port, count = certificate(WORK / "data/tls"), free_port(), 2_000 if bench.quick else 10_000
        options = [f"mqtt.tls.port={port}", f"tls.certificate.file={folder}/cert.pem", f"tls.key.file={folder}/key.pem"]
        options = [word for option in options for word in ("--set", option)]
        context = ssl.create_default_context(cafile=folder / "cert.pem")
        with Millrace(bench.o.server_core, options, config="bench/mqtt.yaml") as over_tls:
            time.sleep(0.5)
            warm = [idle_tls_client(context, port, n) for n in range(200)]  # what is made once is no connection's
            before, cpu = rss_mib(over_tls.pid)[0], cpu_seconds(over_tls.pid)
            clients = [idle_tls_client(context, port, 200 + n) for n in range(count)]
            time.sleep(2)
            memory = rss_mib(over_tls.pid)[0]
            us = (cpu_seconds(over_tls.pid) - cpu) * 1e6 / count
            for one in warm + clients:
                one.close()
            return {"kib": (memory - before) * 1024 / count, "generator_cores": 0, "cpu_s_per_million": us,
                    "server_rss_mib": memory}


class TlsStorm(Work):
    """10,000 clients over TLS dropped at once and back, three times, each resuming its session; beside them 20 publishers at a
    paced rate, whose latency is compared with the quiet time before."""

    def measure(self, bench, server):
        server.end()
        folder, port, count = certificate(WORK / "data/tls"), free_port(), 2_000 if bench.quick else 10_000
        options = [f"mqtt.tls.port={port}", f"tls.certificate.file={folder}/cert.pem", f"tls.key.file={folder}/key.pem"]
        options = [word for option in options for word in ("--set", option)]
        with Millrace(bench.o.server_core, options, config="bench/mqtt.yaml") as over_tls:
            storm = [MILLRACE, "bench", "mqtt", "--mqtt", f"127.0.0.1:{port}", "--tls-ca", folder / "cert.pem", "--publishers", 0,
                     "--subscribers", count, "--topic", "idle/{n}", "--filter", "idle/x", "--keep-alive", 300, "--duration", 0,
                     "--storm", 3, "--warmup", 5, "--json", "--pid", over_tls.pid]
            # Both generators share a core; the one whose latency is measured goes first.
            storm = ["nice", "-n", "5", *pinned(bench.o.load_core, storm)]
            with subprocess.Popen(storm, stdout=subprocess.PIPE, text=True) as running:
                idle = f'millrace_mqtt_listener_connections{{listener="tls://127.0.0.1:{port}"}} {count}'
                deadline = time.monotonic() + 60
                while idle not in metrics(over_tls):
                    if time.monotonic() > deadline or running.poll() is not None:
                        raise Failure("millrace: the TLS clients did not come up")
                    time.sleep(0.05)
                others = ["--publishers", 20, "--qos", 1, "--size", 256, "--topic", "raw", "--rate", 2_000, "--warmup", 0.5]
                calm = bench.generate("mqtt", over_tls, *others, "--duration", 3)
                result = bench.generate("mqtt", over_tls, *others, "--duration", 4)  # the first storm
                storms = json.loads(running.communicate(timeout=120)[0])
            look = bench.generate("kafka", over_tls, "--topic", "raw", "--producers", 0, "--consumers", 1, "--duration", 0)
            result["not_in_log"] = calm["total_acknowledged"] + result["total_acknowledged"] - look["records_there"]
            up = [storms[f"storm{n}_up"] == storms[f"storm{n}_resumed"] == count for n in (1, 2, 3)]
            if not all(up):
                raise Failure(f"millrace: not everybody came back and resumed: {storms}")
            seconds = sorted(storms[f"storm{n}_s"] for n in (1, 2, 3))
            return {**result, "tls_storm_s": seconds[1], "calm_ms": calm["ack_p99_us"] / 1000,
                    "storm_ms": result["ack_p99_us"] / 1000}


def metrics(server):
    with urllib.request.urlopen(f"http://{server.http}/metrics", timeout=10) as page:
        return page.read().decode()


def certificate(folder):
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2",
                    "-keyout", folder / "key.pem", "-out", folder / "cert.pem"], check=True, capture_output=True)
    return folder


def idle_tls_client(context, port, number):
    """Connected and subscribed."""
    one = context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="127.0.0.1")
    one.sendall(b"\x10\x16\0\x04MQTT\x04\x02\x01\x2c\0\x0atls-%06d" % number + b"\x82\x0b\0\x01\0\x06idle/x\0")
    for size in (4, 5):  # CONNACK, SUBACK
        if len(one.recv(size)) != size:
            raise Failure("millrace: a TLS client was not accepted")
    return one


REPORT = ("--size", 256, "--json-payload", "--topic", "report")
FLEET = ("--publishers", 8000, "--qos", 1, "--size", 256, "--json-payload", "--topic", "fleet/{n}", "--rate", 80_000)


def paced(rate, window, *more):
    return ["--publishers", 50, "--qos", 1, *REPORT, "--window", window, "--rate", rate, *more]


def fan(publishers, subscribers, qos, *more):
    return Work(f"fan-out {publishers} to {subscribers:,}, QoS {qos}, 64 B",
                ["--publishers", publishers, "--subscribers", subscribers, "--qos", qos, "--size", 64, *more], MEMORY,
                ("ratio", "flashmq", 1.0), key="delivered_per_s")


WORKS = {
    "in0-64": Work("QoS 0 in, 64 B, no subscriber, no rule", closed(0, 64), LOST, ("ratio", "flashmq", 1.0)),
    "in0-256-raw": Work("QoS 0 in, 256 B JSON, kept raw", closed(0, 256, "--json-payload", "--topic", "raw"), "synced log",
                        ("least", 2_000_000), topic="raw"),
    "in0-256": Work("QoS 0 in, 256 B JSON, SQL rule, two templates", closed(0, *REPORT[1:]), "synced log",
                    ("least", 1_200_000), topic="message-log"),
    "in1-64": Work("QoS 1 in, 64 B, window 100, kept raw", closed(1, 64, "--topic", "raw"), SYNCED,
                   ("ratio", "flashmq", 1.0), topic="raw"),
    "in1-256": Work("QoS 1 in, 256 B JSON, SQL rule, two templates", closed(1, *REPORT[1:]), SYNCED,
                    ("least", 1_000_000), topic="message-log"),
    "in2-256": Work("QoS 2 in, 256 B JSON, SQL rule, two templates", closed(2, *REPORT[1:]), SYNCED,
                    ("least", 400_000), topic="message-log"),
    "ack-20k": Work("PUBACK latency at 20,000 msg/s, 256 B", paced(20_000, 1000), SYNCED, ("latency", 0.7, 5, 20),
                    key="ack_p99_us", topic="message-log", seconds=30),
    "ack-600k": Work("PUBACK latency at 600,000 msg/s, 256 B", paced(600_000, 4000, "--tick", "0.1ms"), SYNCED,
                     ("latency", 2, 10, 30), key="ack_p99_us", topic="message-log", seconds=30),
    "fleet": Work("8,000 connections x 10 msg/s, QoS 1, own topics", [*FLEET], SYNCED, ("fleet", 0.9, 15), key="ack_p99_us",
                  topic="message-log", peers=("flashmq",), seconds=20),
    "fan0-100": fan(1, 100, 0),
    "fan1-100": fan(1, 100, 1),
    "fan0-1000": fan(20, 1000, 0, "--window", 10),
    "fan1-1000": fan(20, 1000, 1, "--window", 10),
    "fanin": Work("fan-in 50 to 1, QoS 1, 64 B, closed loop, default limits",
                  ["--publishers", 50, "--subscribers", 1, "--qos", 1, "--size", 64, "--window", 100, "--drain", 30], MEMORY,
                  ("fanin", 400_000), key="delivered_per_s"),
    "idle": Connections("10,000 connections with a subscription; dropped and back", [], "-", ("connections", 1.2, 0.5),
                        key="storm_s"),
    "idle-tls": Tls("10,000 idle connections over TLS 1.3", [], "-", ("kib", 12), key="kib", peers=()),
    "storm-tls": TlsStorm("10,000 clients over TLS dropped at once and back with resumption; 2,000 msg/s beside them", [], SYNCED,
                          ("tls-storm", 4, 5), key="tls_storm_s", topic="raw", peers=()),
    "overload": Overload("offered 3 x capacity: QoS 1, 256 B JSON, SQL rule", ["--publishers", 50, "--qos", 1, *REPORT], SYNCED,
                         ("overload", 0.9), topic="message-log", peers=()),
}


def measure(bench):
    """Measures what was asked for, keeps it, and gives the table of all that is kept."""
    only = [name for name in bench.o.only.split(",") if name] or list(WORKS)
    servers = [name for name in bench.o.servers.split(",") if name] or SERVERS
    for name in only:
        if name not in WORKS:
            raise Failure(f"mqtt: no work '{name}'; there are {' '.join(WORKS)}")
    if not bench.o.table:
        for name in only:
            work = WORKS[name]
            for server_name in servers:
                if server_name != "millrace" and server_name not in work.peers:
                    continue
                for run in range(bench.o.runs or 1):
                    server = make_server(bench, server_name)
                    if server is None:
                        continue
                    with server:
                        result = {**work.measure(bench, server), "work": name, "server": server_name, "label": server.label}
                    print(f"   {name} {server.label}: {result[work.key]:,.2f} {work.key}", flush=True)
                    with open(KEPT, "a", encoding="utf-8") as kept:
                        kept.write(json.dumps(result) + "\n")
    return tables()


def goal_met(work, run, medians, name):
    kind, *limits = work.goal
    if kind == "ratio":
        peer = medians.get((name, limits[0]))
        if peer is None:
            return "FlashMQ was not measured"
        ratio = run[work.key] / peer[work.key]
        return f"≥ {limits[1]:.1f} × FlashMQ: {ratio:.2f}", ratio >= limits[1]
    if kind == "least":
        return f"≥ {limits[0]:,}", run[work.key] >= limits[0]
    if kind == "latency":
        values = [run[f"ack_{p}_us"] / 1000 for p in ("p50", "p99", "p999")]
        text = " / ".join(f"{limit:g}" for limit in limits)
        return f"≤ {text} ms", all(value <= limit for value, limit in zip(values, limits))
    if kind == "fleet":
        met = run["server_cores"] <= limits[0] and run["ack_p99_us"] / 1000 <= limits[1]
        return f"≤ {limits[0]} core, p99 ≤ {limits[1]} ms: {run['server_cores']:.2f} core", met
    if kind == "fanin":
        dropped = run["missing"] + max(0, run["total_acknowledged"] - run["total_delivered"])
        return f"nothing dropped, ≥ {limits[0]:,}", dropped == 0 and run[work.key] >= limits[0]
    if kind == "connections":
        return f"≤ {limits[0]} KiB, storm ≤ {limits[1]} s", run["kib"] <= limits[0] and run["storm_s"] <= limits[1]
    if kind == "tls-storm":
        ratio = run["storm_ms"] / run["calm_ms"]
        return (f"≤ {limits[0]} s, others' p99 ≤ {limits[1]} ×: {ratio:.1f} ×",
                run["tls_storm_s"] <= limits[0] and ratio <= limits[1] and run["not_in_log"] <= 0)
    if kind == "kib":
        return f"≤ {limits[0]} KiB", run["kib"] <= limits[0]
    return f"≥ {limits[0]:.0%} of peak, nothing lost", run["share"] >= limits[0] and run.get("not_in_log", 0) <= 0


def figures(work, run):
    """What is said of one run: the figure, and what else belongs to it."""
    if "storm_s" in run:
        return f"{run['kib']:.2f} KiB each; {run['connect_s']:.2f} s; storm {run['storm_s']:.2f} s", ""
    if "kib" in run:
        return f"{run['kib']:.2f} KiB each", ""
    if "tls_storm_s" in run:
        return f"{run['tls_storm_s']:.2f} s; others' p99 {run['calm_ms']:.2f} ms, then {run['storm_ms']:.2f} ms", ""
    latency = "/".join(milliseconds(run[f"ack_{p}_us"]) for p in ("p50", "p99", "p999"))
    if "share" in run:
        return f"{number(run['acknowledged_per_s'])} = {run['share']:.0%} of {number(run['peak_per_s'])}", latency
    rate = number(run["delivered_per_s" if work.key == "delivered_per_s" else "acknowledged_per_s"])
    if work.key == "delivered_per_s" and run["qos"] == 1:
        dropped = run["total_acknowledged"] * (run["subscribers"] or 1) - run["total_delivered"]
        if dropped > 0:
            rate += f" ({number(dropped)} acknowledged copies not delivered)"
    return rate, latency


def tables():
    found, medians, rows = {}, {}, []
    if KEPT.exists():
        for line in KEPT.read_text(encoding="utf-8").splitlines():
            result = json.loads(line)
            found.setdefault((result["work"], result["server"]), []).append(result)
    for (name, server), results in found.items():
        if name in WORKS:
            ordered = sorted(results[-5:], key=lambda r: r[WORKS[name].key])
            medians[name, server] = ordered[len(ordered) // 2]
    for name, work in WORKS.items():
        for server in SERVERS:
            run = medians.get((name, server))
            if run is None:
                continue
            count = len(found[name, server][-5:])
            count = f"{count} x {run['seconds']:.0f} s" if "seconds" in run else count
            figure, latency = figures(work, run)
            goal = ""
            if server == "millrace":
                met = goal_met(work, run, medians, name)
                goal = met if isinstance(met, str) else f"{met[0]}: **{'met' if met[1] else 'not met'}**"
                if run.get("not_in_log", 0) > 0 and not name.startswith("in0"):
                    goal += f" {run['not_in_log']:,.0f} ACKNOWLEDGED MESSAGES ARE NOT IN THE LOG"
            saturated = " SATURATED" if run["generator_cores"] > 0.9 else ""
            deliveries = max(run.get("delivered_per_s", 0), run.get("acknowledged_per_s", 0)) * run.get("seconds", 0)
            cpu = run["cpu_s_per_million"] if not deliveries else run["server_cpu_s"] * 1e6 / deliveries
            ours = server == "millrace"
            memory = run.get("server_rss_peak_mib", run["server_rss_mib"])
            rows.append((name if ours else "", work.title if ours else "", run["label"], work.durability if ours else MEMORY,
                         f"**{figure}**", count, latency, f"{cpu:.2f}", f"{run['generator_cores']:.2f}{saturated}",
                         f"{run.get('server_written_mb', 0) / run.get('seconds', 1):.0f}", f"{memory:.0f}", goal))
    head = ("row", "work", "server", "durability", "figure", "runs", "ack p50/p99/p99.9 ms", "CPU-s per million",
            "generator cores", "disk MB/s", "peak RSS MiB", "goal")
    return table(head, rows)


def write_page(bench, machine, versions, when):
    PAGE.write_text(f"""# MQTT beside Mosquitto and FlashMQ

Made by `bench/run mqtt --flashmq PATH` on {when:%Y-%m-%d %H:%M} UTC. {versions}.

Machine: {machine}.

Server pinned to core {bench.o.server_core}, generator to core {bench.o.load_core}, loopback, MQTT 3.1.1, every run on fresh data.
msg/s taken in; fan-out and fan-in: msg/s delivered. Median of the runs named. CPU-s per million: of the server, per million
messages in or delivered, whichever are more; per million connections in the rows of connections. SATURATED: the generator was
the limit. Latency from the time a message was due where the rate is given. Peers keep everything in memory and have nothing on
disk when PUBACK leaves; millrace's live deliveries (fan-out, fan-in) are from memory too, with no rule for their topic. FlashMQ
has one thread, Mosquitto `set_tcp_nodelay true` and no limit of queues. After every run that is logged the log was asked for
what had been acknowledged.

{tables()}
""", encoding="utf-8")
    print(f"written to {PAGE.relative_to(ROOT)}")
