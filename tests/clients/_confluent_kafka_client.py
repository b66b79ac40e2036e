"""Run by kafka_python_clients.py: confluent-kafka against the address in argv[1]."""
import sys
import time

from confluent_kafka import Consumer, Producer, TopicPartition, libversion, version
from confluent_kafka.admin import AdminClient, NewTopic

ADDRESS = {"bootstrap.servers": sys.argv[1]}
COUNT, CODECS = 1000, ("none", "gzip", "snappy", "lz4", "zstd")


def produce(topic, codec, idempotent):
    errors = []
    producer = Producer({**ADDRESS, "compression.type": codec, "enable.idempotence": idempotent, "acks": "all"})
    for i in range(COUNT):
        producer.produce(topic, key=b"key-%d" % (i % 50), value=b"value-%d " % i * 20, headers=[("codec", codec.encode())],
                         timestamp=1_700_000_000_000 + i, on_delivery=lambda error, _: errors.append(error) if error else None)
    assert producer.flush(30) == 0, "everything is delivered"
    assert not errors, errors


def consume(topic, wanted, isolation):
    consumer = Consumer({**ADDRESS, "group.id": "none-is-joined", "enable.auto.commit": False, "isolation.level": isolation})
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(3)])
    records, end = [], time.monotonic() + 30
    while len(records) < wanted and time.monotonic() < end:
        for record in consumer.consume(1000, 1):
            assert record.error() is None, record.error()
            records.append((record.key(), record.value(), record.headers()[0][1]))
    low, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=10)
    assert low == 0 and high > 0
    [found] = consumer.offsets_for_times([TopicPartition(topic, 0, 1_700_000_000_000)], timeout=10)
    assert found.error is None and found.offset == 0, found
    [late] = consumer.offsets_for_times([TopicPartition(topic, 0, 1_800_000_000_000)], timeout=10)
    assert late.error is None and late.offset == -1, late
    consumer.close()
    return records


def main():
    print("confluent-kafka", version(), "librdkafka", libversion()[0])
    admin = AdminClient(ADDRESS)
    admin.create_topics([NewTopic("confluent", 3, 1, config={"retention.ms": "3600000"})])["confluent"].result(30)
    admin.create_topics([NewTopic("three-copies", 1, 3)])["three-copies"].result(30)
    assert len(admin.list_topics("three-copies", timeout=10).topics["three-copies"].partitions[0].replicas) == 1, "clamped"
    for codec in CODECS:
        for idempotent in (False, True):
            produce("confluent", codec, idempotent)
    wanted = sorted((b"key-%d" % (i % 50), b"value-%d " % i * 20, codec.encode())
                    for codec in CODECS for _ in range(2) for i in range(COUNT))
    for isolation in ("read_uncommitted", "read_committed"):
        assert sorted(consume("confluent", len(wanted), isolation)) == wanted, "what comes out is what went in"
    producer = Producer({**ADDRESS, "message.timeout.ms": 5000, "allow.auto.create.topics": False})
    errors = []
    producer.produce("confluent", b"x" * 900_000, on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(30) == 0 and errors == [None], "a large record fits"
    admin.delete_topics(["confluent"])["confluent"].result(30)
    assert "confluent" not in admin.list_topics(timeout=10).topics


main()
