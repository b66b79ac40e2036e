"""Two S3 sinks keep many times what the memory of all sinks is: 16 partitions with 24 hours open in each. What has no room
goes to disk: objects are as large as was asked for, every record is in one of them, also over kill -9, memory keeps its
bound and nothing is left on the disk.

MILLRACE_MEMORY_RECORDS=400000 MILLRACE_MEMORY_SINKS=4 MILLRACE_MEMORY_PARTITIONS=64 MILLRACE_MEMORY_MIB=256 is the large run.
"""

# timeout: 600
import json
import os
import re
import subprocess

from _connect import Connect
from _s3 import s3_server
from _server import check, need, scratch, serving, wait_until

RECORDS = int(os.environ.get("MILLRACE_MEMORY_RECORDS", "48000"))
SINKS = int(os.environ.get("MILLRACE_MEMORY_SINKS", "2"))
PARTITIONS = int(os.environ.get("MILLRACE_MEMORY_PARTITIONS", "16"))
BUDGET_MIB = int(os.environ.get("MILLRACE_MEMORY_MIB", "8"))
HOURS, SIZE = 24, 1000
FLUSH = RECORDS // PARTITIONS * 3 // 4  # of the records of a partition
CONFIG = (
    f"topics:\n  - {{name: many, partitions: {PARTITIONS}}}\n"
    f"connect.memory.bytes: {BUDGET_MIB}MiB\nmemory.tail.bytes: 16MiB\n"
)
SINK = {
    "connector.class": "S3SinkConnector",
    "topics": "many",
    "value.converter": "org.apache.kafka.connect.json.JsonConverter",
    "value.converter.schemas.enable": "false",
    "format.class": "io.confluent.connect.s3.format.json.JsonFormat",
    "s3.part.size": "5242880",
    "partitioner.class": "io.confluent.connect.storage.partitioner.TimeBasedPartitioner",
    "timestamp.extractor": "RecordField",
    "timestamp.field": "at",
    "timezone": "UTC",
    "locale": "en_US",
    "partition.duration.ms": "3600000",
    "path.format": "YYYY/MM/dd/HH",
}


def fill(server, begin, end):
    """Every partition gets the same number of records, every hour its share."""
    noise = os.urandom(SIZE // 2).hex()
    for partition in range(PARTITIONS):
        lines = "".join(
            f'{{"n":{i},"at":{1_700_000_000_000 + i % HOURS * 3_600_000},"x":"{noise[i % 97:]}"}}\n'
            for i in range(begin // PARTITIONS, end // PARTITIONS)
        )
        done = subprocess.run(
            ["kcat", "-b", server.ports["kafka"], "-P", "-t", "many", "-p", str(partition)], input=lines, text=True, timeout=120
        )
        check(done.returncode == 0, "kcat filled the topic")


def resident_mib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))


def main():
    need("kcat")
    kept = spilled = 0
    with s3_server() as s3, serving(config=CONFIG) as server:
        connect = Connect(server)
        for i in range(SINKS):
            more = {"topics.dir": f"sink-{i}", "flush.size": str(FLUSH), "s3.compression.type": "gzip" if i % 2 else "none"}
            connect.create(f"sink-{i}", {**SINK, **s3.settings(), **more})

        def taken(records):
            nonlocal kept, spilled
            kept = max(kept, server.metric("millrace_connect_memory_bytes"))
            spilled = max(spilled, server.metric("millrace_connect_spilled_bytes"))
            return connect.balance_closes() and server.metric("millrace_connect_delivered_records") >= SINKS * records

        half = RECORDS // PARTITIONS // 2 * PARTITIONS
        fill(server, 0, half)
        wait_until(lambda: taken(half), "the first half is taken", 120)
        check(spilled > 0, f"nothing was spilled; {kept} bytes were kept in memory")
        server.kill()
        server.start()
        fill(server, half, RECORDS)
        whole = SINKS * PARTITIONS * HOURS
        wait_until(lambda: taken(0) and len(s3.objects()) >= whole, f"{len(s3.objects())} of {whole} objects", 240)
        check(kept <= (BUDGET_MIB + 8) << 20, f"{kept / 2**20:.1f} MiB were kept, of {BUDGET_MIB}")
        peak = resident_mib(server.process.pid)
        check(peak < 512 and (BUDGET_MIB > 64 or peak < 200), f"{peak:.0f} MiB resident")
        names = list((scratch() / "data" / "connect-spill").iterdir())
        check(not names, f"files are left: {names}")

        found = {}
        for key, data in s3.objects().items():
            place = re.fullmatch(r"sink-(\d+)/many/2023/11/\d\d/\d\d/many\+(\d+)\+\d{10}\.json(?:\.gz)?", key)
            check(place, f"the name {key}")
            rows = [json.loads(line) for line in data.decode().splitlines()]
            check(len({row["at"] for row in rows}) == 1, f"{key} holds one hour")
            found.setdefault((int(place[1]), int(place[2])), []).extend(row["n"] for row in rows)
        check(len(found) == SINKS * PARTITIONS, f"{len(found)} lanes")
        for lane, numbers in found.items():
            check(sorted(numbers) == list(range(FLUSH)), f"{lane}: {len(numbers)} of {FLUSH} records, or cut for memory's sake")
        print(
            f"{SINKS} sinks, {PARTITIONS} partitions, {HOURS} hours open in each: {kept / 2**20:.1f} MiB of {BUDGET_MIB} kept, "
            f"{spilled / 2**20:.1f} MiB on disk, {peak:.0f} MiB resident"
        )


main()
