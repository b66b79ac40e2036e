"""kill -9 while every kind of sink delivers, through proxies that spoil one request in six. Afterwards: the bucket is byte
for byte that of a run without faults, its objects' offsets are contiguous and disjoint, and no upload is left open; the
index, PostgreSQL's table, ClickHouse's tables and InfluxDB's series have every record once; the HTTP service and the file,
which can only have it at least once, miss none.

MILLRACE_KILL_CYCLES=200 is the long run (five minutes); CHDB_PYTHON gives ClickHouse's own engine.
"""

# timeout: 1800
import contextlib
import json
import os
import random
import re
import subprocess
import time

from _clickhouse import TABLE, clickhouse
from _connect import Connect
from _faulty import Collecting, Elasticsearch, FaultyProxy, TcpProxy
from _postgres import Postgres
from _s3 import s3_server
from _server import check, need, scratch, serving, wait_until

CYCLES = int(os.environ.get("MILLRACE_KILL_CYCLES", "6"))
PER_CYCLE, PARTITIONS, FLUSH = 1200, 2, 500
CONFIG = f"topics:\n  - {{name: cars, partitions: {PARTITIONS}}}\n"
JSON = {
    "topics": "cars",
    "value.converter": "org.apache.kafka.connect.json.JsonConverter",
    "value.converter.schemas.enable": "false",
}
S3 = {
    **JSON,
    "connector.class": "S3SinkConnector",
    "flush.size": str(FLUSH),
    "s3.compression.type": "gzip",
    "tasks.max": "2",
    "format.class": "io.confluent.connect.s3.format.json.JsonFormat",
    "s3.part.retries": "20",
    "s3.retry.backoff.ms": "20",
}
ES = {
    **JSON,
    "connector.class": "ElasticsearchSinkConnector",
    "key.ignore": "true",
    "batch.size": "200",
    "retry.backoff.ms": "20",
    "max.retries": "50",
    "read.timeout.ms": "3000",
    "connection.compression": "true",
}
JDBC = {
    **JSON,
    "connector.class": "JdbcSinkConnector",
    "auto.create": "true",
    "batch.size": "300",
    "tasks.max": "2",
    "retry.backoff.ms": "20",
    "max.retries": "50",
}
CLICKHOUSE = {
    **JSON,
    "connector.class": "ClickHouseSinkConnector",
    "exactlyOnce": "true",
    "batch.size": "400",
    "linger.ms": "20",
    "retryCount": "50",
}


RETRY = {**JSON, "retry.backoff.ms": "20", "max.retries": "50", "linger.ms": "20"}
HTTP = {**RETRY, "connector.class": "HttpSinkConnector", "batch.max.size": "300", "batch.json.as.array": "true"}
INFLUX = {**RETRY, "connector.class": "InfluxDBSinkConnector", "influxdb.db": "cars", "batch.size": "400"}
FILE = {**JSON, "connector.class": "FileStreamSinkConnector"}


def lines_of(path):
    """A file sink's records; a kill may cut its last line, which is then written again."""
    found = []
    for line in path.read_text(errors="replace").splitlines():
        with contextlib.suppress(ValueError):
            found.append(json.loads(line)["seq"])
    return found


def produce(server, start):
    lines = "".join(f'd{i % 50}\t{{"seq":{i},"device_no":"d{i % 50}"}}\n' for i in range(start, start + PER_CYCLE))
    done = subprocess.run(
        ["kcat", "-b", server.ports["kafka"], "-P", "-t", "cars", "-K", "\t"], input=lines, text=True, timeout=60
    )
    check(done.returncode == 0, "kcat produced")


def raw_objects(s3, folder):
    """{key without its first folder: bytes as stored}"""
    root = s3.root / "vehicles" / folder
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def contiguous(s3, folder, ends):
    """Every partition's objects follow one another without gap or overlap, up to less than flush.size from the end."""
    lines = {}
    for key, data in s3.objects().items():
        found = re.search(rf"{folder}/cars/partition=(\d+)/cars\+(\d+)\+(\d{{10}})\.json\.gz$", key)
        if found:
            lines.setdefault(int(found[1]), []).append((int(found[3]), data.count(b"\n")))
    for partition, ranges in lines.items():
        at = 0
        for start, count in sorted(ranges):
            check(start == at, f"partition {partition}: an object begins at {start}, the one before ends at {at}")
            check(count == FLUSH, f"partition {partition}: the object at {start} has {count} lines")
            at += count
        check(
            ends[partition] - FLUSH < at <= ends[partition],
            f"partition {partition} is in the bucket up to {at} of {ends[partition]}",
        )


def committed(connect, name):
    offsets = connect.call("GET", f"/connectors/{name}/offsets")[1]["offsets"]
    return {o["partition"]["kafka_partition"]: o["offset"]["kafka_offset"] for o in offsets}


def main():
    need("kcat", "runuser" if os.getuid() == 0 else "kcat")
    total, draw = CYCLES * PER_CYCLE, random.Random(11)
    with s3_server() as s3, Elasticsearch() as es, Postgres() as postgres, clickhouse(
        scratch() / "clickhouse"
    ) as house, FaultyProxy(s3.port, 1, 6) as s3_proxy, FaultyProxy(es.server_address[1], 2, 6) as es_proxy, FaultyProxy(
        house.port, 3, 3
    ) as house_proxy, TcpProxy(
        postgres.port, 4, 100
    ) as postgres_proxy, Collecting() as service, FaultyProxy(
        service.server_address[1], 5, 6
    ) as service_proxy, serving(
        config=CONFIG
    ) as server:
        house.query(TABLE.format("cars"))
        house.query(TABLE.format("cars_binary"))
        connect = Connect(server)
        connect.create("s3", {**S3, **s3.settings(), "store.url": s3_proxy.url, "topics.dir": "faults"})
        connect.create("es", {**ES, "connection.url": es_proxy.url})
        connect.create("postgres", {**JDBC, **postgres.settings(postgres_proxy.port)})
        connect.create("http", {**HTTP, "http.api.url": service_proxy.url})
        connect.create("influx", {**INFLUX, "influxdb.url": service_proxy.url})
        connect.create("file", {**FILE, "file": str(scratch() / "out")})
        connect.create("clickhouse", {**CLICKHOUSE, **house.settings(house_proxy.server_address[1])})
        binary = {"insert.format": "RowBinary", "topic2TableMap": "cars=cars_binary"}
        connect.create("clickhouse-binary", {**CLICKHOUSE, **house.settings(house_proxy.server_address[1]), **binary})
        begin = time.monotonic()
        for cycle in range(CYCLES):
            produce(server, cycle * PER_CYCLE)
            time.sleep(draw.random() * 0.25)  # somewhere in the middle of what the sinks do
            server.kill()
            server.start()
        wait_until(lambda: len(es.documents) == total, "every record is in the index", 120)
        wait_until(
            lambda: postgres.query("SELECT count(DISTINCT seq) FROM cars") == [str(total)], "every record is in PostgreSQL", 120
        )
        rows = postgres.query("SELECT count(*), count(DISTINCT seq), min(seq), max(seq) FROM cars")
        check(rows == [f"{total}|{total}|0|{total - 1}"], f"each row once, not {rows}")
        for table in ("cars", "cars_binary"):
            select = f"SELECT count(), uniqExact(seq), min(seq), max(seq) FROM {table}"
            wait_until(
                lambda select=select: house.query(select).split("\t")[0] == str(total),
                f"every record is in ClickHouse: {house.query(select)}",
                120,
            )
            check(house.query(select) == f"{total}\t{total}\t0\t{total - 1}", f"and once in {table}")
        check(sorted(d["seq"] for d in es.documents.values()) == list(range(total)), "each document once")
        wait_until(
            lambda: len({d["seq"] for d in service.documents}) == total, f"the service misses none of {total} records", 120
        )
        wait_until(lambda: len(service.points) >= total, f"{len(service.points)} points of {total}", 120)
        found = sorted(int(re.search(r"seq=(\d+)", fields)[1]) for fields in service.points.values())
        check(found == list(range(total)), f"each record is one point: {len(found)}")
        wait_until(lambda: set(lines_of(scratch() / "out")) == set(range(total)), "the file misses none", 60)
        wait_until(lambda: sum(committed(connect, "es").values()) == total, "the bookmarks are at the end", 30)
        ends = committed(connect, "es")
        wait_until(
            lambda: all(ends[p] - at < FLUSH for p, at in committed(connect, "s3").items()), "the objects are there", 120
        )
        contiguous(s3, "faults", ends)
        wait_until(connect.balance_closes, "the balance closes", 60)
        took = time.monotonic() - begin

        connect.create("clean", {**S3, **s3.settings(), "topics.dir": "clean"})
        wait_until(lambda: len(raw_objects(s3, "clean")) >= len(raw_objects(s3, "faults")), "the run without faults", 120)
        check(
            raw_objects(s3, "faults") == raw_objects(s3, "clean"), "the bucket is that of a run without faults, byte for byte"
        )
        parts = [path for path in s3.root.rglob("*") if path.is_file() and ".sgwtmp" in path.parts]
        check(not parts, f"uploads are left open: {parts[:3]}")
        for proxy in (s3_proxy, es_proxy, house_proxy, postgres_proxy, service_proxy):
            check(sum(proxy.counts.values()) >= min(CYCLES, 20) // 2, f"faults happened: {proxy.counts}")
        engine = "ClickHouse's engine" if os.environ.get("CHDB_PYTHON") else "a stand-in for ClickHouse"
        print(
            f"{CYCLES} cycles in {took:.0f} s, {total} records, {len(raw_objects(s3, 'clean'))} objects; {engine}\n"
            f"s3 {s3_proxy.counts}\nes {es_proxy.counts}\nclickhouse {house_proxy.counts}\npostgres {postgres_proxy.counts}\n"
            f"http, influxdb {service_proxy.counts}\nwritten again to the index: {es.indexed - total}, to the service: "
            f"{len(service.documents) - total}, to the file: {len(lines_of(scratch() / 'out')) - total}"
        )


main()
