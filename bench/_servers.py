"""Starts the server under test and its peer, pinned to a core, each run on fresh data. Python's standard library only."""
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MILLRACE = Path(os.environ.get("MILLRACE") or ROOT / "build/release/millrace")
WORK = Path(os.environ.get("MILLRACE_BENCH_DIR") or ROOT / "build/bench")
READY_S = 30


class Failure(Exception):
    """A row that could not be measured; the others still are."""


def pinned(core, command):
    return ["taskset", "-c", str(core), *map(str, command)]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def rss_mib(pid):
    """(resident, peak) memory of a process in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return tuple(int(re.search(rf"^{name}:\s+(\d+)", status, re.M)[1]) / 1024 for name in ("VmRSS", "VmHWM"))


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Process:
    """A server of one run: `pid`, `mqtt` and perhaps `kafka` ("host:port"), `ready_ms` from exec to ready, as measured here."""

    def __init__(self, name, command, core):
        self.name, self.core = name, core
        self.folder = WORK / "data" / name
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.command = pinned(core, command)
        self.process, self.kafka, self.mqtt, self.http, self.ready_ms = None, None, None, None, 0.0

    @property
    def pid(self):
        return self.process.pid  # taskset becomes the server by exec

    def __enter__(self):
        start = time.monotonic()
        self.log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=self.log, start_new_session=True)
        self.wait_ready()
        self.ready_ms = (time.monotonic() - start) * 1000
        return self

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()
        self.log.close()

    def restart(self):
        """A clean stop and a start on the same data and, but for millrace, the same port."""
        self.end()
        self.__enter__()

    def __exit__(self, *_):
        self.end()
        shutil.rmtree(self.folder, ignore_errors=True)

    def fail(self, what):
        said = (self.folder / "log").read_text(errors="replace")[-600:].strip()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        raise Failure(f"{self.name}: {what}" + (f": {said}" if said else ""))

    def alive(self):
        if self.process.poll() is not None:
            self.fail(f"ended with status {self.process.returncode}")


class Millrace(Process):
    """`millrace serve` with bench/bench.yaml, every listener on a free port of 127.0.0.1, an empty data directory."""

    label, durability = "millrace", "fdatasync before the acknowledgement"

    def __init__(self, core, options=(), config="bench/bench.yaml"):
        sets = [word for name in ("mqtt", "kafka", "http") for word in ("--set", f"{name}.port=0")]
        data = WORK / "data/millrace/store"
        command = [MILLRACE, "serve", "--config", ROOT / config, "--data-dir", data, *sets, *options]
        super().__init__("millrace", command, core)

    def wait_ready(self):
        deadline = time.monotonic() + READY_S
        line = b""
        while not line.startswith(b"millrace ready:"):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                self.fail(f"not ready within {READY_S} s")
            line = self.process.stdout.readline()
            if not line:
                self.process.wait()
                self.fail("ended before it was ready")
        ports = dict(re.findall(r"(\w+)=([\d.]+:\d+)", line.decode()))
        self.mqtt, self.kafka, self.http = ports["mqtt"], ports["kafka"], ports["http"]


class Mosquitto(Process):
    """Debian's Mosquitto, persistence off, all in memory; unlimited queues, so that it drops nothing it acknowledged."""

    label, durability = "Mosquitto", "none (memory)"

    def __init__(self, core, nodelay=False):
        self.label = "Mosquitto, set_tcp_nodelay" if nodelay else "Mosquitto"
        self.port = free_port()
        program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin") or "mosquitto"
        config = WORK / "data/mosquitto/mosquitto.conf"
        super().__init__("mosquitto", [program, "-c", config], core)
        config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\nmax_queued_messages 0\n"
                          f"log_type error\nset_tcp_nodelay {'true' if nodelay else 'false'}\n")
        self.mqtt = f"127.0.0.1:{self.port}"

    def wait_ready(self):
        deadline = time.monotonic() + READY_S
        while True:
            if self.process.poll() is not None:
                self.fail("ended before it was ready")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                if time.monotonic() > deadline:
                    self.fail(f"not ready within {READY_S} s")
                time.sleep(0.0005)  # it says nothing when it is ready
