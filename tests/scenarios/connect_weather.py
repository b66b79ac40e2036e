"""What a destination can do to a sink, one after the other: it hangs, answers a byte at a time, asks to wait, refuses
the credentials, lacks the bucket or the index, disagrees about the time. Ingest goes on, the REST interface answers,
nothing is lost or repeated, and what a person must mend is said in the state.

MILLRACE_HANG_S=180 hangs for minutes.
"""

# timeout: 900
import http.client
import json
import os
import subprocess
import time

from _connect import Connect
from _faulty import Elasticsearch, Handler, Server as HttpServer
from _s3 import KEY, s3_server
from _server import check, need, serving, wait_until

HANG_S = float(os.environ.get("MILLRACE_HANG_S", "3"))
CONFIG = "topics:\n  - {name: cars, partitions: 2}\n"
JSON = {
    "topics": "cars",
    "value.converter": "org.apache.kafka.connect.json.JsonConverter",
    "value.converter.schemas.enable": "false",
}
S3 = {
    **JSON,
    "connector.class": "S3SinkConnector",
    "flush.size": "100",
    "s3.retry.backoff.ms": "20",
    "s3.part.retries": "50",
    "format.class": "io.confluent.connect.s3.format.json.JsonFormat",
}
ES = {
    **JSON,
    "connector.class": "ElasticsearchSinkConnector",
    "key.ignore": "true",
    "batch.size": "100",
    "retry.backoff.ms": "20",
    "max.retries": "50",
    "read.timeout.ms": "1000",
}


class Weather(HttpServer):
    """A proxy to `port` whose behaviour is set from outside; `asked` has the time of every request."""

    def __init__(self, port):
        proxy, self.how, self.asked = self, "fine", []

        class Passing(Handler):
            def serve(self):
                proxy.asked.append(time.monotonic())
                body = self.body()
                if proxy.how == "hang":
                    time.sleep(HANG_S * 3)
                    return self.reset()
                if proxy.how == "busy":
                    return self.answer(429, b"<Error><Code>SlowDown</Code></Error>", [("Retry-After", "2")])
                upstream = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                upstream.request(self.command, self.path, body=body, headers=dict(self.headers.items()))
                answer = upstream.getresponse()
                content = answer.read()
                upstream.close()
                if proxy.how == "drip":
                    return self.drip(content)
                return self.answer(answer.status, content, answer.getheaders())

            def drip(self, content):
                head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(content) + 1000}\r\n\r\n".encode()
                for byte in head + content + b" " * 1000:
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    time.sleep(0.05)

            do_GET = do_PUT = do_POST = do_DELETE = serve

        super().__init__(("127.0.0.1", 0), Passing)


class Strict(Elasticsearch):
    """Makes no index by itself until `makes` is set."""

    makes = True

    def reject(self, document):
        return None if self.makes else "index_not_found_exception"


class Site:
    def __init__(self, server, s3, es):
        self.server, self.connect, self.s3, self.es, self.sent = server, Connect(server), s3, es, 0

    def produce(self, count=400):
        begin = time.monotonic()
        lines = "".join(f'd{i % 50}\t{{"seq":{i}}}\n' for i in range(self.sent, self.sent + count))
        done = subprocess.run(
            ["kcat", "-b", self.server.ports["kafka"], "-P", "-t", "cars", "-K", "\t"], input=lines, text=True, timeout=60
        )
        check(done.returncode == 0, "kcat produced")
        self.sent += count
        check(time.monotonic() - begin < 5, "ingest is not disturbed")

    def indexed(self, within_s=60):
        wait_until(lambda: len(self.es.documents) == self.sent, f"{len(self.es.documents)} of {self.sent} documents", within_s)

    def in_bucket(self, within_s=60):
        # Up to what is less than flush.size in each partition.
        wait_until(lambda: len(self.s3.lines()) > self.sent - 200, f"{len(self.s3.lines())} of {self.sent} lines", within_s)
        seqs = [json.loads(line)["seq"] for line in self.s3.lines()]
        check(len(seqs) == len(set(seqs)), "no line twice")

    def trace(self, name):
        tasks = self.connect.call("GET", f"/connectors/{name}/status")[1]["tasks"]
        return " ".join(f"{task['state']} {task.get('trace', '')}" for task in tasks)


def storms(site, s3_weather, es_weather):
    for how in ("hang", "drip"):
        s3_weather.how = es_weather.how = how
        site.produce()
        time.sleep(HANG_S)
        check(site.connect.call("GET", "/connectors?expand=status")[0] == 200, "the REST interface answers")
        site.produce()
        s3_weather.how = es_weather.how = "fine"
        site.indexed()
        if how == "drip":  # S3's client gives up a silent server after two minutes
            site.in_bucket(180)
    s3_weather.how = es_weather.how = "busy"
    for weather in (s3_weather, es_weather):
        weather.asked.clear()
    site.produce()
    wait_until(lambda: len(es_weather.asked) >= 3 and len(s3_weather.asked) >= 3, "they are asked again", 60)
    s3_weather.how = es_weather.how = "fine"
    gaps = [later - earlier for earlier, later in zip(s3_weather.asked, s3_weather.asked[1:])]
    check(min(gaps[:2]) > 1.9, f"S3's Retry-After is kept: {gaps}")
    site.indexed()
    site.in_bucket()


def people_must_mend(site):
    connect = site.connect
    site.connect.create("wrong", {**S3, **site.s3.settings(), "aws.secret.access.key": "wrong", "topics.dir": "wrong"})
    wait_until(lambda: "FAILED" in site.trace("wrong"), "wrong credentials end the task", 60)
    check(
        "permission_denied" in site.trace("wrong")
        and "wrong" not in site.trace("wrong").split("FAILED")[1].split("permission")[0].split(KEY)[0][-6:],
        f"and say so: {site.trace('wrong')}",
    )
    check(
        connect.call(
            "PATCH", "/connectors/wrong/config", {"aws.secret.access.key": site.s3.settings()["aws.secret.access.key"]}
        )[0]
        == 200,
        "mended",
    )
    wait_until(lambda: any(key.startswith("wrong/") for key in site.s3.objects()), "and it delivers", 60)

    connect.create("nowhere", {**S3, **site.s3.settings(), "s3.bucket.name": "nowhere"})
    wait_until(
        lambda: "FAILED" in site.trace("nowhere") and "not_found" in site.trace("nowhere"), "a missing bucket ends the task", 60
    )
    (site.s3.root / "nowhere").mkdir()
    check(connect.call("POST", "/connectors/nowhere/restart?includeTasks=true&onlyFailed=true")[0] == 202, "restart")
    wait_until(lambda: any(path.is_file() for path in (site.s3.root / "nowhere").rglob("*.json")), "and it delivers", 60)

    site.es.makes = False
    site.produce()
    wait_until(lambda: "index is not there" in site.trace("es"), "a missing index is told", 60)
    check(connect.call("GET", "/connectors/es/failures")[1]["count"] == 0, "and no record is given up for it")
    site.es.makes = True
    connect.call("POST", "/connectors/es/restart?includeTasks=true&onlyFailed=true")
    site.indexed()


def main():
    need("kcat")
    with s3_server() as s3, Strict() as es, Weather(s3.port) as s3_weather, Weather(
        es.server_address[1]
    ) as es_weather, serving(config=CONFIG) as server:
        site = Site(server, s3, es)
        site.connect.create("s3", {**S3, **s3.settings(), "store.url": s3_weather.url})
        site.connect.create("es", {**ES, "connection.url": es_weather.url, "errors.tolerance": "all"})
        site.produce()
        site.indexed()
        site.in_bucket()
        storms(site, s3_weather, es_weather)
        people_must_mend(site)
        begin = time.monotonic()
        check(server.stop() == 0, "stopped")
        check(time.monotonic() - begin < 10, "within ten seconds")
        print(f"{site.sent} records through every weather")


main()
