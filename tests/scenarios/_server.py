"""Starts, kills and questions the real program for the scenario tests. Python's standard library only.

A scenario gets MILLRACE, SCRATCH and SOURCE from ctest (tests/CMakeLists.txt). Every listener is on a free port of 127.0.0.1; the
ready line tells which. Waiting is always for an event with a deadline, never for a time.
"""
import contextlib
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

MILLRACE = os.environ.get("MILLRACE") or str(Path(__file__).resolve().parents[2] / "build/release/millrace")
SOURCE = Path(os.environ.get("SOURCE") or Path(__file__).resolve().parents[2])
LISTENERS = ("mqtt", "ws", "kafka", "http", "connect")
DEADLINE_S = 30


def scratch():
    path = Path(os.environ.get("SCRATCH") or f"/tmp/millrace-scenario-{os.getpid()}")
    path.mkdir(parents=True, exist_ok=True)
    return path


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(77)


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            skip(f"{program} is not installed (./dev setup run test)")


def check(condition, what):
    if not condition:
        print(f"FAILED: {what}", file=sys.stderr)
        sys.exit(1)


CONFIG = (SOURCE / "examples" / "scenario-a.yaml").read_text(encoding="utf-8")


class Server:
    """One `millrace serve`. Its output goes to SCRATCH/<name>.out and .log."""

    def __init__(self, config=CONFIG, data=None, name="server", options=(), prefix=()):
        here = scratch()
        self.config, self.data, self.log = here / f"{name}.yaml", Path(data or here / "data"), here / f"{name}.log"
        self.config.write_text(config, encoding="utf-8")
        self.options, self.prefix, self.process, self.ports, self.ready_line = list(options), list(prefix), None, {}, ""

    def command(self):
        sets = [word for name in LISTENERS for word in ("--set", f"{name}.port=0")]
        # Beside the other processes of a machine that runs tests a connector's task that gives way would hardly run.
        sets += ["--set", f"connect.tasks.nice={nice}"] if (nice := os.environ.get("MILLRACE_TASKS_NICE", "0")) else []
        return [*self.prefix, MILLRACE, "serve", "--config", str(self.config), "--data-dir", str(self.data), *sets, *self.options]

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=subprocess.PIPE, stderr=log, start_new_session=True)
        deadline, line = time.monotonic() + DEADLINE_S, b""
        while not line.startswith(b"millrace ready:"):
            left = deadline - time.monotonic()
            readable = left > 0 and select.select([self.process.stdout], [], [], left)[0]
            line = self.process.stdout.readline() if readable else b""
            if not line:
                self.abandon()
                print(self.log.read_text(errors="replace")[-4000:], file=sys.stderr)
                check(False, f"no ready line within {DEADLINE_S} s")
        self.ready_line = line.decode().strip()
        self.ports = {n: f"{h}:{p}" for n, h, p in re.findall(r"(\w+)=(\[[^\]]*\]|[\d.]+):(\d+)", self.ready_line)}
        return self

    def port(self, listener):
        return self.ports[listener].rsplit(":", 1)[1]

    def kill(self):
        """kill -9, of the program's own process group: nothing is flushed, nothing is said."""
        self.abandon()
        self.process.stdout.close()

    def stop(self, within_s=10):
        """SIGTERM; the exit status. Fails when it takes longer than a graceful stop may."""
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(timeout=within_s)
        except subprocess.TimeoutExpired:
            self.abandon()
            check(False, f"did not stop within {within_s} s after SIGTERM")
        self.process.stdout.close()
        return status

    def abandon(self):
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def refuse(self, within_s=DEADLINE_S):
        """Runs a server that must not start: (exit status, what it said)."""
        try:
            done = subprocess.run(self.command(), capture_output=True, text=True, timeout=within_s)
        except subprocess.TimeoutExpired:
            check(False, "the server started although it should have refused")
        return done.returncode, done.stdout + done.stderr

    def http(self, path):
        """(status, body) of a GET on the admin port."""
        try:
            with urllib.request.urlopen(f"http://{self.ports['http']}{path}", timeout=DEADLINE_S) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metric(self, name):
        """The sum of a metric over its labels; 0 when it is not there."""
        pattern = re.compile(rf"^{re.escape(name)}(?:\{{[^}}]*\}})? ([-+.\deE]+)$", re.M)
        return sum(float(value) for value in pattern.findall(self.http("/metrics")[1]))

    def publish(self, messages, topic="report", qos=1, client="scenario"):
        """mosquitto_pub, one connection, one message per line; returns when all are acknowledged."""
        done = subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", self.port("mqtt"), "-q", str(qos), "-i", client,
                               "-t", topic, "-l"], input="".join(f"{m}\n" for m in messages), text=True, timeout=120)
        check(done.returncode == 0, f"mosquitto_pub ended with {done.returncode}")

    def consume(self, topic, form="%p\t%o\t%k\t%s\n"):
        """Everything in a topic through kcat: a list of lines in `form`."""
        done = subprocess.run(["kcat", "-b", self.ports["kafka"], "-C", "-e", "-q", "-o", "beginning", "-t", topic, "-f", form],
                              capture_output=True, text=True, timeout=120)
        check(done.returncode == 0, f"kcat ended with {done.returncode}: {done.stderr}")
        return done.stdout.splitlines()


@contextlib.contextmanager
def serving(**arguments):
    server = Server(**arguments)
    try:
        yield server.start()
    finally:
        server.abandon()


def wait_until(condition, what, within_s=DEADLINE_S):
    """Polls a condition that no event tells about (a metric, a file)."""
    deadline = time.monotonic() + within_s
    while not condition():
        check(time.monotonic() < deadline, f"not within {within_s} s: {what}")
        time.sleep(0.02)
