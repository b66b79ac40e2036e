"""One member of a consumer group, with confluent-kafka or kafka-python. Writes what happens as JSON lines into a file:
{"assigned": [...]}, {"revoked": [...]}, {"record": [partition, offset, value]}. Commits after every poll. Ends on SIGTERM with a
proper goodbye.

_group_member.py CLIENT BOOTSTRAP GROUP OUT [--instance ID] [--cooperative] [--name NAME]
"""
import argparse
import json
import signal
import sys

TOPIC, SESSION_MS = "groups", 6000


class Lines:
    def __init__(self, path):
        self.file = open(path, "a", encoding="utf-8")

    def say(self, **what):
        self.file.write(json.dumps(what) + "\n")
        self.file.flush()


def confluent(args, lines, running):
    from confluent_kafka import Consumer
    settings = {"bootstrap.servers": args.bootstrap, "group.id": args.group, "client.id": args.name,
                "session.timeout.ms": SESSION_MS, "heartbeat.interval.ms": 500, "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "partition.assignment.strategy": "cooperative-sticky" if args.cooperative else "range"}
    if args.instance:
        settings["group.instance.id"] = args.instance
    consumer = Consumer(settings)

    def assigned(c, partitions):
        lines.say(assigned=[p.partition for p in partitions])
        (c.incremental_assign if args.cooperative else c.assign)(partitions)

    def revoked(c, partitions):
        lines.say(revoked=[p.partition for p in partitions])
        (c.incremental_unassign(partitions) if args.cooperative else c.unassign())

    consumer.subscribe([TOPIC], on_assign=assigned, on_revoke=revoked)
    while running():
        message = consumer.poll(0.2)
        if message is None or message.error():
            continue
        lines.say(record=[message.partition(), message.offset(), message.value().decode()])
        consumer.commit(message, asynchronous=False)
    consumer.close()


def kafka_python(args, lines, running):
    from kafka import ConsumerRebalanceListener, KafkaConsumer
    from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
    from kafka.coordinator.assignors.range import RangePartitionAssignor

    class Listener(ConsumerRebalanceListener):
        def on_partitions_assigned(self, assigned):
            lines.say(assigned=[p.partition for p in assigned])

        def on_partitions_revoked(self, revoked):
            lines.say(revoked=[p.partition for p in revoked])

    assignor = CooperativeStickyAssignor if args.cooperative else RangePartitionAssignor
    consumer = KafkaConsumer(bootstrap_servers=args.bootstrap, group_id=args.group, client_id=args.name,
                             group_instance_id=args.instance, session_timeout_ms=SESSION_MS, heartbeat_interval_ms=500,
                             enable_auto_commit=False, auto_offset_reset="earliest",
                             partition_assignment_strategy=[assignor])
    consumer.subscribe([TOPIC], listener=Listener())
    while running():
        for records in consumer.poll(timeout_ms=200).values():
            for record in records:
                lines.say(record=[record.partition, record.offset, record.value.decode()])
        try:
            consumer.commit()
        except Exception as error:  # a rebalance is in progress: what was read is read again
            lines.say(note=str(error))
    consumer.close()


def main():
    parser = argparse.ArgumentParser()
    for name in ("client", "bootstrap", "group", "out"):
        parser.add_argument(name)
    parser.add_argument("--instance")
    parser.add_argument("--name", default="member")
    parser.add_argument("--cooperative", action="store_true")
    args = parser.parse_args()
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    lines = Lines(args.out)
    (confluent if args.client == "confluent_kafka" else kafka_python)(args, lines, lambda: not stopped)
    lines.say(left=True)


main()
sys.exit(0)
