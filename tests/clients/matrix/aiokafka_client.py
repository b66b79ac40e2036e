"""aiokafka for kafka_matrix.py: produce BOOTSTRAP TOPIC CODEC FROM COUNT | consume BOOTSTRAP TOPIC GROUP."""
import asyncio
import signal
import sys

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener


async def produce(bootstrap, topic, codec, first, count):
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True,
                                compression_type=None if codec == "none" else codec)
    await producer.start()
    sent = [await producer.send(topic, key=b"k%d" % (i % 20), value=b"v%d" % i, headers=[("codec", codec.encode())])
            for i in range(int(first), int(first) + int(count))]
    await asyncio.gather(*sent)
    await producer.stop()


class Listener(ConsumerRebalanceListener):
    async def on_partitions_revoked(self, revoked):
        pass

    async def on_partitions_assigned(self, assigned):
        print("assigned", ",".join(str(p.partition) for p in assigned), flush=True)


async def consume(bootstrap, topic, group):
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False,
                                auto_offset_reset="earliest", session_timeout_ms=10000)
    consumer.subscribe([topic], listener=Listener())
    await consumer.start()
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    while not stopping.is_set():
        found = await consumer.getmany(timeout_ms=200)
        for records in found.values():
            for r in records:
                codec = dict(r.headers)["codec"].decode()
                print("record", r.partition, r.offset, r.key.decode(), r.value.decode(), codec, flush=True)
        if found:
            try:
                await consumer.commit()
            except Exception as error:  # a rebalance or a broker that is away: what was read comes again
                print("commit", type(error).__name__, flush=True)
    await consumer.stop()


asyncio.run({"produce": produce, "consume": consume}[sys.argv[1]](*sys.argv[2:]))
