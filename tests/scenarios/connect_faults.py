"""S3 and Elasticsearch behind a proxy that spoils one request in six, and kill -9 in between: every record is in the bucket
exactly once and in the index exactly once; a daily index by TimestampRouter is not written again from the start."""
# timeout: 1200
import json
import os
import subprocess

from _connect import Connect
from _faulty import Elasticsearch, FaultyProxy
from _s3 import s3_server
from _server import check, need, serving, wait_until

CYCLES = int(os.environ.get("MILLRACE_CONNECT_CYCLES", "8"))
PER_CYCLE = 2000

S3 = {"connector.class": "S3SinkConnector", "topics": "message-log", "flush.size": "700", "rotate.schedule.interval.ms": "400",
      "format.class": "io.confluent.connect.s3.format.json.JsonFormat", "s3.compression.type": "gzip", "tasks.max": "2",
      "partitioner.class": "io.confluent.connect.storage.partitioner.TimeBasedPartitioner", "partition.duration.ms": "180000",
      "path.format": "YYYY/MM/dd/HH/mm", "locale": "ko_KR", "timezone": "Asia/Seoul", "s3.part.retries": "4"}
ES = {"connector.class": "ElasticsearchSinkConnector", "topics": "message-log", "key.ignore": "true", "batch.size": "300",
      "connection.compression": "true", "retry.backoff.ms": "50", "max.retries": "50", "read.timeout.ms": "5000",
      "transforms": "day", "transforms.day.type": "org.apache.kafka.connect.transforms.TimestampRouter",
      "transforms.day.timestamp.format": "yyyy.MM.dd"}


def produce(server, start):
    lines = "".join(f'd{i % 50}\t{{"seq":{i},"device_no":"d{i % 50}"}}\n' for i in range(start, start + PER_CYCLE))
    done = subprocess.run(["kcat", "-b", server.ports["kafka"], "-P", "-t", "message-log", "-K", "\t"], input=lines, text=True,
                          timeout=60)
    check(done.returncode == 0, "kcat produced")


def main():
    need("kcat")
    total = CYCLES * PER_CYCLE
    with s3_server() as s3, FaultyProxy(s3.port, 1, 6) as s3_proxy, Elasticsearch() as es, \
            FaultyProxy(es.server_address[1], 2, 6) as es_proxy, serving() as server:
        connect = Connect(server)
        connect.create("to-s3", {**S3, **s3.settings(), "store.url": s3_proxy.url})
        connect.create("to-es", {**ES, "connection.url": es_proxy.url})
        for cycle in range(CYCLES):
            produce(server, cycle * PER_CYCLE)
            server.kill()
            server.start()
        wait_until(lambda: len(s3.lines()) >= total, "every record is in the bucket", 120)
        wait_until(lambda: len(es.documents) >= total, "every record is in the index", 120)
        wait_until(connect.balance_closes, "the balance closes", 60)
        ids = [json.loads(line)["seq"] for line in s3.lines()]
        check(sorted(ids) == list(range(total)), f"bucket: {len(ids)} lines, {len(set(ids))} distinct of {total}")
        check(sorted(d["seq"] for d in es.documents.values()) == list(range(total)), "index: each record once")
        check(all(index.startswith("message-log-20") for index, _ in es.documents), "the index has the day")
        # What was in flight at a kill or behind a lost answer came again; nothing like the whole topic each time.
        again = es.indexed - total
        check(again <= (CYCLES + sum(es_proxy.counts.values())) * 6 * 300, f"{again} documents were written again")
        for proxy in (s3_proxy, es_proxy):
            check(sum(proxy.counts.values()) > 5, f"faults happened: {proxy.counts}")
        print(f"s3 {s3_proxy.counts}\nes {es_proxy.counts}\nwritten again to the index: {again} of {total}")


main()
