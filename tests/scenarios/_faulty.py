"""A proxy that spoils some of the HTTP requests that pass it, and an Elasticsearch that keeps documents in memory.

Faults, drawn with a seed: reset before the request, reset behind its body, reset behind the server's success and before its
answer, 500, 503 and 429 instead of the server, a slow answer. Requests pass unchanged, as S3's signatures cover the Host header.
TcpProxy does the same to a protocol that it does not know.
"""
import contextlib
import gzip
import http.client
import http.server
import json
import random
import socket
import struct
import threading
import time

FAULTS = ("reset_before", "reset_after_body", "reset_after_success", "500", "503", "429", "slow")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def answer(self, status, body=b"", headers=()):
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_):
        pass


class FaultyProxy(Server):
    """Listens on a free port and passes requests on to `port`; one in `one_in` is spoiled."""

    def __init__(self, port, seed, one_in):
        proxy, self.counts, self.draw = self, dict.fromkeys(FAULTS, 0), random.Random(seed)

        class Passing(Handler):
            def serve(self):
                fault = proxy.draw.choice(FAULTS) if proxy.draw.randrange(one_in) == 0 else None
                if fault:
                    proxy.counts[fault] += 1
                if fault == "reset_before":
                    return self.reset()
                body = self.body()
                if fault == "reset_after_body":
                    return self.reset()
                if fault in ("500", "503", "429"):
                    return self.answer(int(fault), b"<Error><Code>SlowDown</Code></Error>", [("Retry-After", "0")])
                upstream = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                headers = {name: value for name, value in self.headers.items()}
                upstream.request(self.command, self.path, body=body, headers=headers)
                answer = upstream.getresponse()
                content = answer.read()
                upstream.close()
                if fault == "reset_after_success":
                    return self.reset()
                if fault == "slow":
                    time.sleep(0.3)
                return self.answer(answer.status, content, answer.getheaders())

            do_GET = do_PUT = do_POST = do_DELETE = serve

        super().__init__(("127.0.0.1", 0), Passing)


class TcpProxy:
    """Listens on a free port and passes bytes on to `port`. Of the answers one in `one_in` is not passed on: the server has done
    what it was asked, and both sides are reset. One in `one_in` requests is spoiled before the server sees it."""

    def __init__(self, port, seed, one_in):
        self.target, self.one_in, self.draw = port, one_in, random.Random(seed)
        self.counts = {"reset_before": 0, "reset_after_success": 0}
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.close()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            for source, sink, fault in ((client, server, "reset_before"), (server, client, "reset_after_success")):
                threading.Thread(target=self.pump, args=(source, sink, fault), daemon=True).start()

    def pump(self, source, sink, fault):
        try:
            while data := source.recv(1 << 16):
                if self.draw.randrange(self.one_in) == 0:
                    self.counts[fault] += 1
                    break
                sink.sendall(data)
        except OSError:
            pass
        for side in (source, sink):
            with contextlib.suppress(OSError):
                side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                side.shutdown(socket.SHUT_RDWR)
                side.close()


class Collecting(Server):
    """An HTTP service that keeps the bodies it is given: JSON (`documents`) and InfluxDB's lines (`points`)."""

    def __init__(self):
        kept, self.documents, self.points, self.lock = self, [], {}, threading.Lock()

        class Any(Handler):
            def do_POST(self):
                body = self.body().decode()
                with kept.lock:
                    if self.path.startswith("/write"):
                        for line in body.splitlines():  # series and time are what makes a point
                            series, fields, when = line.rsplit(" ", 2) if line.count(" ") == 2 else ("?", line, "?")
                            kept.points[series, when] = fields
                    else:
                        found = json.loads(body)
                        kept.documents.extend(found if isinstance(found, list) else [found])
                self.answer(204 if self.path.startswith("/write") else 200)

        super().__init__(("127.0.0.1", 0), Any)


class Elasticsearch(Server):
    """The bulk API as far as a sink uses it; `indexed` counts documents as they come, repetitions too."""

    def __init__(self):
        es, self.documents, self.indexed, self.lock = self, {}, 0, threading.Lock()

        class Bulk(Handler):
            def do_GET(self):
                self.answer(200, b'{"version":{"number":"8.1.0"}}', [("Content-Type", "application/json")])

            def do_POST(self):
                body = self.body()
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                lines, items = body.decode().splitlines(), []
                with es.lock:
                    for action, source in zip(lines[::2], lines[1::2]):
                        place, document = json.loads(action)["index"], json.loads(source)
                        why = es.reject(document)
                        if why:
                            items.append({"index": {"status": 400, "error": {"type": why, "reason": "as asked"}}})
                            continue
                        es.documents[place["_index"], place["_id"]] = document
                        es.indexed += 1
                        items.append({"index": {"status": 201}})
                errors = any("error" in item["index"] for item in items)
                self.answer(200, json.dumps({"took": 1, "errors": errors, "items": items}, separators=(",", ":")).encode())

        super().__init__(("127.0.0.1", 0), Bulk)

    def reject(self, document):
        """The type of the error that a document is refused with, or None."""
