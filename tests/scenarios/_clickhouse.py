"""ClickHouse over HTTP for sinks, as a process of its own on a free port of loopback.

With CHDB_PYTHON (a Python that has the package chdb: ClickHouse's own engine in process) statements run in ClickHouse: parsing,
error texts and deduplication by token are its own. Without, a stand-in keeps JSON lines and tokens in memory. Neither shows
ClickHouse's HTTP headers, sessions or concurrency.
"""

import contextlib
import gzip
import http.server
import json
import os
import select
import shutil
import subprocess
import sys
import threading
import urllib.parse
import urllib.request
from pathlib import Path

TABLE = (
    "CREATE TABLE {} (seq Int64, device_no String) ENGINE = MergeTree ORDER BY seq "
    "SETTINGS non_replicated_deduplication_window = 10000"
)


class Chdb:
    def __init__(self, folder):
        from chdb import session

        self.folder, self.session = folder, session.Session(folder)

    def columns(self, table):
        lines = self.session.query(f"DESCRIBE TABLE {table}", "TabSeparated").bytes().decode().splitlines()
        return [line.split("\t")[:2] for line in lines]

    def run(self, query, body, settings):
        if body and "RowBinary" in query:
            # What the HTTP interface does with the body: read by the format, inserted under the settings.
            rows = Path(self.folder) / "rows.bin"
            rows.write_bytes(body)
            head, form = query.rsplit(" FORMAT ", 1)
            extra = ", ".join(f"{name} = '{value}'" for name, value in settings.items())
            table = head.split()[2].replace("`", "")
            columns = head[head.index("(") + 1 : head.rindex(")")]
            types = {name: kind for name, kind in self.columns(table)}
            structure = ", ".join(f"{name.strip()} {types[name.strip().strip('`')]}" for name in columns.split(","))
            structure = structure.replace("'", "\\'")
            query = f"{head} SELECT * FROM file('{rows}', {form}, '{structure}')" + (f" SETTINGS {extra}" if extra else "")
        elif body:
            extra = ", ".join(f"{name} = '{value}'" for name, value in settings.items())
            head, form = query.rsplit(" FORMAT ", 1)
            query = f"{head} SETTINGS {extra} FORMAT {form}\n{body.decode()}" if extra else f"{query}\n{body.decode()}"
        form = "JSONEachRow" if query.endswith("FORMAT JSONEachRow") and query.startswith("DESCRIBE") else "TabSeparated"
        return self.session.query(query, form).bytes()


def binary_rows(body):
    """Rows of TABLE in RowBinary."""
    rows, at = [], 0
    while at < len(body):
        seq, size, at = int.from_bytes(body[at : at + 8], "little", signed=True), body[at + 8], at + 9
        rows.append({"seq": seq, "device_no": body[at : at + size].decode()})
        at += size
    return rows


class Memory:
    def __init__(self, _):
        self.tables, self.tokens = {}, set()

    def run(self, query, body, settings):
        words = query.replace("`", "").replace('"', "").split()
        if words[0] == "CREATE":
            self.tables[words[2]] = []
        elif words[0] == "INSERT":
            if words[2] not in self.tables:
                raise ValueError(f"Code: 60. DB::Exception: Table {words[2]} does not exist")
            try:
                rows = binary_rows(body) if "RowBinary" in query else [json.loads(line) for line in body.splitlines()]
            except ValueError as error:
                raise ValueError(f"Code: 117. DB::Exception: {error}") from None
            token = settings.get("insert_deduplication_token")
            if token is None or token not in self.tokens:
                self.tables[words[2]] += rows
                self.tokens.add(token)
        elif words[0] == "DESCRIBE":
            return b'{"name":"seq","type":"Int64","default_type":""}\n{"name":"device_no","type":"String","default_type":""}\n'
        else:  # SELECT count(), uniqExact(seq), min(seq), max(seq) FROM t
            seqs = [int(row["seq"]) for row in self.tables[words[-1]]]
            return "\t".join(map(str, (len(seqs), len(set(seqs)), min(seqs, default=0), max(seqs, default=0)))).encode() + b"\n"
        return b""


def serve(folder):
    engine, lock = (Chdb if os.environ.get("CHDB_PYTHON") else Memory)(folder), threading.Lock()

    class Http(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_GET(self):
            self.answer(200, b"Ok.\n")

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
            query = asked.pop("query", None) or body.decode()
            settings = {name: value for name, value in asked.items() if name.startswith("insert_dedup")}
            try:
                with lock:
                    self.answer(200, engine.run(query, body if "query" in self.path else b"", settings))
            except Exception as error:  # noqa: BLE001 - whatever the engine says is the answer
                self.answer(500, str(error).encode())

        def answer(self, status, body):
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Http)
    server.daemon_threads = True
    print(server.server_address[1], flush=True)
    server.serve_forever()


class ClickHouse:
    def __init__(self, port):
        self.port = port

    def query(self, sql):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/", data=sql.encode(), method="POST")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read().decode().strip()

    def settings(self, port=None):
        return {"hostname": "127.0.0.1", "port": str(port or self.port), "ssl": "false", "database": "default"}


@contextlib.contextmanager
def clickhouse(folder):
    shutil.rmtree(folder, ignore_errors=True)
    Path(folder).mkdir(parents=True)
    process = subprocess.Popen([os.environ.get("CHDB_PYTHON") or sys.executable, __file__, str(folder)], stdout=subprocess.PIPE)
    try:
        assert select.select([process.stdout], [], [], 60)[0], "the ClickHouse stand-in did not start"
        yield ClickHouse(int(process.stdout.readline()))
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    serve(sys.argv[1])
