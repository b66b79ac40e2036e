"""An S3 server that checks signatures (versitygw, one Go program) on a free port of loopback; its objects are plain files.

It is found as VERSITYGW, on the path, or in Go's folder of programs; where there is Go but no versitygw it is
installed from Go's module proxy, which takes two minutes once.
"""
import contextlib
import gzip
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from _server import check, scratch, skip

KEY, SECRET, BUCKET = "testkey", "testsecret12345", "vehicles"
MODULE = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"


def program():
    found = os.environ.get("VERSITYGW") or shutil.which("versitygw")
    home = Path(os.environ.get("GOPATH") or Path.home() / "go") / "bin" / "versitygw"
    if not found and home.exists():
        found = str(home)
    if not found and shutil.which("go"):
        done = subprocess.run(["go", "install", MODULE], env={**os.environ, "CGO_ENABLED": "0"}, capture_output=True, timeout=900)
        found = str(home) if done.returncode == 0 else None
    return found or skip("versitygw is not installed and Go is not there to install it")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class S3:
    def __init__(self, region):
        self.region = region
        self.root = scratch() / "s3"
        (self.root / BUCKET).mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.process = None

    def start(self):
        log = open(scratch() / "s3.log", "ab")
        self.process = subprocess.Popen(
            [program(), "--port", f"127.0.0.1:{self.port}", "--region", self.region, "posix", str(self.root)],
            stdout=log, stderr=log, env={**os.environ, "ROOT_ACCESS_KEY": KEY, "ROOT_SECRET_KEY": SECRET})
        deadline = time.monotonic() + 20
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=2)
            except urllib.error.HTTPError:
                return self
            except OSError:
                check(time.monotonic() < deadline, "versitygw did not start")
                time.sleep(0.05)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def settings(self):
        return {"store.url": f"http://127.0.0.1:{self.port}", "aws.access.key.id": KEY, "aws.secret.access.key": SECRET,
                "s3.region": self.region, "s3.bucket.name": BUCKET}

    def environment(self):
        return {"AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{self.port}", "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}

    def objects(self):
        """{key: bytes}, gzip resolved."""
        found = {}
        for path in sorted((self.root / BUCKET).rglob("*")):
            if path.is_file() and ".sgwtmp" not in path.parts:
                data = path.read_bytes()
                found[str(path.relative_to(self.root / BUCKET))] = gzip.decompress(data) if path.suffix == ".gz" else data
        return found

    def lines(self):
        return [line for data in self.objects().values() for line in data.decode().splitlines()]


@contextlib.contextmanager
def s3_server(region="us-east-1"):
    server = S3(region)
    try:
        yield server.start()
    finally:
        server.stop()
