"""Run by kafka_python_clients.py: kafka-python against the address in argv[1]."""
import sys

import kafka

ADDRESS = sys.argv[1]
COUNT, CODECS = 1000, (None, "gzip", "snappy", "lz4", "zstd")


def produce(codec, idempotent):
    producer = kafka.KafkaProducer(bootstrap_servers=ADDRESS, compression_type=codec, enable_idempotence=idempotent, acks="all")
    sent = [producer.send("python", key=b"key-%d" % (i % 50), value=b"value-%d " % i * 20, headers=[("n", b"1")])
            for i in range(COUNT)]
    producer.flush(30)
    for future in sent:
        future.get(10)
    producer.close()


def main():
    print("kafka-python", kafka.__version__)
    for codec in CODECS:
        for idempotent in (False, True):
            produce(codec, idempotent)
    consumer = kafka.KafkaConsumer(bootstrap_servers=ADDRESS, group_id=None, auto_offset_reset="earliest",
                                   consumer_timeout_ms=5000)
    consumer.assign([kafka.TopicPartition("python", partition) for partition in consumer.partitions_for_topic("python")])
    consumer.seek_to_beginning()
    wanted = sorted((b"key-%d" % (i % 50), b"value-%d " % i * 20) for _ in range(2 * len(CODECS)) for i in range(COUNT))
    records = []
    for record in consumer:
        assert record.headers == [("n", b"1")], record.headers
        records.append((record.key, record.value))
        if len(records) == len(wanted):
            break
    assert sorted(records) == wanted, f"what comes out is what went in ({len(records)} of {len(wanted)})"
    ends = consumer.end_offsets([kafka.TopicPartition("python", partition) for partition in range(3)])
    assert sum(ends.values()) == len(wanted), ends
    consumer.close()


main()
