"""Scenario A's S3 connector: objects appear in an S3 server that checks signatures, every record once, also over kill -9;
the connector is found again after the restart, and objects have Confluent's names."""
# timeout: 1200
import json
import os
import re
import subprocess

from _connect import Connect
from _s3 import BUCKET, s3_server
from _server import check, need, serving, wait_until

BODY = {
    "connector.class": "io.confluent.connect.s3.S3SinkConnector", "s3.region": "ap-northeast-2",
    "partition.duration.ms": "180000", "flush.size": "20000", "schema.compatibility": "NONE", "topics": "message-log",
    "s3.part.size": "5242880", "timezone": "Asia/Seoul", "locale": "ko_KR", "s3.compression.type": "gzip",
    "format.class": "io.confluent.connect.s3.format.json.JsonFormat",
    "partitioner.class": "io.confluent.connect.storage.partitioner.TimeBasedPartitioner",
    "storage.class": "io.confluent.connect.s3.storage.S3Storage", "s3.bucket.name": BUCKET,
    "rotate.schedule.interval.ms": "180000", "path.format": "YYYY/MM/dd/HH"}
NAME = re.compile(r"topics/message-log/\d{4}/\d\d/\d\d/\d\d/message-log\+(\d)\+(\d{10})\.json\.gz")


def produce(server, count, start=0, topic="message-log"):
    lines = "".join(f'd{i % 7}\t{{"device_no":"d{i % 7}","seq":{i}}}\n' for i in range(start, start + count))
    done = subprocess.run(["kcat", "-b", server.ports["kafka"], "-P", "-t", topic, "-K", "\t"], input=lines, text=True,
                          timeout=60)
    check(done.returncode == 0, "kcat produced")


def main():
    need("kcat")
    with s3_server() as s3:
        # The region in scenario A's body is what requests are signed for; the server of the test has another.
        os.environ.update(s3.environment())
        body = {**BODY, "s3.region": "us-east-1"}
        total = 0
        with serving(name="first") as server:
            connect = Connect(server)
            connect.create("s3-sink-worker", body)
            connect.wait_running("s3-sink-worker")
            status, all_of_them = connect.call("GET", "/connectors?expand=info&expand=status")
            check(status == 200 and all_of_them["s3-sink-worker"]["status"]["tasks"][0]["state"] == "RUNNING", all_of_them)
            # A short schedule so that the test need not wait three minutes.
            status, _ = connect.call("PUT", "/connectors/s3-sink-worker/config", {**body, "rotate.schedule.interval.ms": "500"})
            check(status == 200, f"PUT config answered {status}")
            for round_number in range(6):
                produce(server, 3000, total)
                total += 3000
                if round_number % 2:
                    server.kill()
                    server.start()
                    connect.wait_running("s3-sink-worker")
            wait_until(lambda: len(s3.lines()) >= total, "every record is in the bucket", 60)
            wait_until(connect.balance_closes, "the balance closes")
            ids = sorted(json.loads(line)["seq"] for line in s3.lines())
            check(ids == list(range(total)), f"each record exactly once: {len(ids)} lines, {len(set(ids))} of {total} records")
            check(all(NAME.fullmatch(key) for key in s3.objects()), f"Confluent's names: {list(s3.objects())[:3]}")
            check(server.stop() == 0, "stops cleanly")


main()
