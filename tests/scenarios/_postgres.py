"""A PostgreSQL of Debian on a free port of loopback, in a folder of its own."""

import glob
import os
import pwd
import shutil
import socket
import subprocess
import tempfile

from _server import check, skip


class Postgres:
    def __init__(self):
        folders = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
        if not folders:
            skip("PostgreSQL is not installed (./dev setup test)")
        self.bin, self.user = folders[-1], "postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
        self.folder = tempfile.mkdtemp(prefix="millrace-pg-")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    def run(self, *command, check_it=True):
        if os.getuid() == 0:
            command = ("runuser", "-u", self.user, "--", *command)
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd="/")
        check(done.returncode == 0 or not check_it, f"{command}: {done.stderr}")
        return done.stdout

    def __enter__(self):
        if os.getuid() == 0:
            shutil.chown(self.folder, self.user)
        data = f"{self.folder}/data"
        self.run(f"{self.bin}/initdb", "-D", data, "-A", "trust", "--no-sync")
        self.run(
            f"{self.bin}/pg_ctl",
            "-D",
            data,
            "-l",
            f"{self.folder}/log",
            "-w",
            "-o",
            f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self.folder}",
            "start",
        )
        return self

    def __exit__(self, *_):
        self.run(f"{self.bin}/pg_ctl", "-D", f"{self.folder}/data", "-m", "immediate", "stop", check_it=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def query(self, sql):
        out = self.run(
            f"{self.bin}/psql",
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
            "-U",
            self.user,
            "-d",
            "postgres",
            "-Atc",
            sql,
            check_it=False,
        )
        return out.strip().splitlines()

    def settings(self, port=None):
        """Through a proxy on `port`, or straight."""
        return {"connection.url": f"jdbc:postgresql://127.0.0.1:{port or self.port}/postgres", "connection.user": self.user}
