"""The two bodies a user of Kafka Connect posts, unchanged, endpoint and credentials from AWS's variables: objects and
documents appear, every record exactly once, over kill -9, and `GET /connectors?expand=info&expand=status` shows workers and
tasks RUNNING.

What flush.size does not cut is cut by the clock after three minutes at most: MILLRACE_SCENARIO_A=whole waits for it.
"""

# timeout: 600
import json
import os
import re
import subprocess

from _connect import Connect
from _faulty import Elasticsearch
from _s3 import BUCKET, s3_server
from _server import check, need, serving, wait_until

TOPIC, PARTITIONS = "message-log", 2
S3 = """{"name":"s3-sink-worker","config":{
 "connector.class":"io.confluent.connect.s3.S3SinkConnector","s3.region":"ap-northeast-2","partition.duration.ms":"180000",
 "flush.size":"20000","schema.compatibility":"NONE","topics":"TOPIC","s3.part.size":"5242880","timezone":"Asia/Seoul",
 "locale":"ko_KR","s3.compression.type":"gzip","format.class":"io.confluent.connect.s3.format.json.JsonFormat",
 "partitioner.class":"io.confluent.connect.storage.partitioner.TimeBasedPartitioner",
 "storage.class":"io.confluent.connect.s3.storage.S3Storage","s3.bucket.name":"BUCKET",
 "rotate.schedule.interval.ms":"180000","path.format":"YYYY/MM/dd/HH"}}"""
ES = """{"name":"es-sink-worker","config":{
 "connector.class":"io.confluent.connect.elasticsearch.ElasticsearchSinkConnector","type.name":"_doc",
 "behavior.on.null.values":"IGNORE","topics":"TOPIC","drop.invalid.message":"true","max.retries":"50","key.ignore":"true",
 "max.in.flight.requests":"20","retry.backoff.ms":"2000","connection.url":"ESURL","read.timeout.ms":"60000","linger.ms":"1000",
 "connection.compression":"true","flush.timeout.ms":"60000","batch.size":"2000","max.buffered.records":"40000"}}"""
CONFIG = f"topics:\n  - {{name: {TOPIC}, partitions: {PARTITIONS}}}\n"
COUNT = 3 * 16_000
NAME = re.compile(rf"topics/{TOPIC}/\d{{4}}/\d\d/\d\d/\d\d/{TOPIC}\+\d\+\d{{10}}\.json\.gz")


def produce(server, start, count):
    lines = "".join(f'd{i % 997}\t{{"device_no":"d{i % 997}","type":"log","seq":{i}}}\n' for i in range(start, start + count))
    done = subprocess.run(
        ["kcat", "-b", server.ports["kafka"], "-P", "-t", TOPIC, "-K", "\t"], input=lines, text=True, timeout=60
    )
    check(done.returncode == 0, "kcat produced")


def main():
    need("kcat")
    whole = os.environ.get("MILLRACE_SCENARIO_A") == "whole"
    with s3_server(region="ap-northeast-2") as s3, Elasticsearch() as es:
        os.environ.update(s3.environment())
        with serving(config=CONFIG) as server:
            connect = Connect(server)
            for body in (S3, ES):
                body = body.replace("TOPIC", TOPIC).replace("BUCKET", BUCKET).replace("ESURL", es.url)
                status, answer = connect.call("POST", "/connectors", json.loads(body))
                check(status == 201, f"POST answered {status}: {answer}")
            for start in range(0, COUNT, COUNT // 3):
                produce(server, start, COUNT // 3)
                wait_until(lambda s=start: len(es.documents) > s, "some are in the index")
                server.kill()
                server.start()
            for name in ("s3-sink-worker", "es-sink-worker"):
                connect.wait_running(name)
            shown = connect.call("GET", "/connectors?expand=info&expand=status")[1]
            for name, one in shown.items():
                states = [one["status"]["connector"]["state"]] + [task["state"] for task in one["status"]["tasks"]]
                check(states == ["RUNNING"] * 2 and one["info"]["config"]["topics"] == TOPIC, f"{name}: {states}")
            wait_until(lambda: len(es.documents) >= COUNT, f"{len(es.documents)} of {COUNT} documents", 60)
            check(sorted(d["seq"] for d in es.documents.values()) == list(range(COUNT)), "each record once in the index")
            check({index for index, _ in es.documents} == {TOPIC}, "in the topic's index")
            least = COUNT if whole else 1  # what flush.size cuts, or the clock meanwhile
            wait_until(lambda: len(s3.lines()) >= least, f"{len(s3.lines())} of {least} lines", 240 if whole else 60)
            found = [json.loads(line)["seq"] for line in s3.lines()]
            check(len(set(found)) == len(found), f"each record once: {len(found)} lines of {len(set(found))} records")
            check(not whole or sorted(found) == list(range(COUNT)), "and all of them")
            check(all(NAME.fullmatch(key) for key in s3.objects()), f"Confluent's names: {list(s3.objects())[:3]}")
            wait_until(connect.balance_closes, "the balance closes")
            again = es.indexed - COUNT
            print(f"{len(es.documents)} documents ({again} again), {len(found)} lines in {len(s3.objects())} objects")


main()
