"""The README's three commands: publish with an MQTT client, read with a Kafka client, kill -9 in between, lose nothing."""
import json

from _server import Server, check, need, scratch, serving


def report(number):
    kind = "boot" if number % 10 == 0 else "log"
    return json.dumps({"type": kind, "device_no": f"T-{number % 7}", "sequence": number, "speed": 42.5})


def records(server):
    """{topic: [(partition, offset, key, message)]}"""
    found = {}
    for topic in ("message-log", "message-boot"):
        rows = [line.split("\t", 3) for line in server.consume(topic)]
        found[topic] = [(int(p), int(o), key, json.loads(value)) for p, o, key, value in rows]
    return found


def check_records(found, count):
    everything = [row for rows in found.values() for row in rows]
    sequences = sorted(row[3]["sequence"] for row in everything)
    check(sequences == list(range(count)), f"{len(sequences)} records for {count} messages, each once")
    partition_of = {}
    for topic, rows in found.items():
        last = {}
        for partition, _, key, message in sorted(rows, key=lambda row: row[:2]):
            check(f"message-{message['type']}" == topic, f"a '{message['type']}' message in {topic}")
            check(key == message["device_no"], f"key {key} of {message}")
            check("timestamp" in message and message["speed"] == 42.5, f"fields of {message}")
            check(partition_of.setdefault((topic, key), partition) == partition, f"device {key} in two partitions of {topic}")
            check(last.get(key, -1) < message["sequence"], f"order of device {key} in {topic}")
            last[key] = message["sequence"]


def main():
    need("mosquitto_pub", "kcat")
    count = 0
    server = Server()
    try:
        for life in range(3):
            server.start()
            check(set(server.ports) >= {"mqtt", "kafka", "http"}, f"ready line: {server.ready_line}")
            if life:
                check_records(records(server), count)
            server.publish([report(n) for n in range(count, count + 200)], client=f"device-{life}")
            count += 200
            check_records(records(server), count)
            server.kill()
        server.start()
        check_records(records(server), count)
        check(server.stop() == 0, "exit status 0 after SIGTERM")
    finally:
        server.abandon()
    with serving(data=scratch() / "data", name="after-clean-stop") as again:
        check_records(records(again), count)


main()
