"""1,000 kinds of records that cannot be delivered, among 20,000 that can, and two kill -9: each kind is in the failure
ledger once and in the dead letter topic with Kafka Connect's headers, all others are delivered once, the balance
closes at every look; after the fix a replay delivers those whose bytes were never at fault."""

import json
import random
import subprocess

from _connect import Connect
from _faulty import Elasticsearch
from _server import MILLRACE, check, need, serving, wait_until

CONFIG = "topics:\n  - {name: cars, partitions: 3}\n"
KINDS, GOOD = 1000, 20_000
DOCUMENT = (
    '{"device_no":"d17","position":{"lat":37.5,"lon":127.25},"tags":["a","\\u00e9\\n"],"speed":-1.5e3,"ok":true,"none":null}'
)
SINK = {
    "connector.class": "ElasticsearchSinkConnector",
    "topics": "cars",
    "key.ignore": "true",
    "batch.size": "500",
    "tasks.max": "2",
    "retry.backoff.ms": "20",
    "errors.tolerance": "all",
    "errors.deadletterqueue.topic.name": "dead",
    "errors.deadletterqueue.context.headers.enable": "true",
    "transforms": "time",
    "transforms.time.type": "org.apache.kafka.connect.transforms.TimestampConverter$Value",
    "transforms.time.field": "at",
    "transforms.time.target.type": "unix",
    "transforms.time.format": "yyyy-MM-dd",
}


def is_json(text):
    try:
        json.loads(text.decode())
        return True
    except ValueError:
        return False


def poisons():
    """{value: where it must fail}: distinct by construction."""
    found, draw = {}, random.Random(7)
    text = DOCUMENT.encode()
    for size in range(1, len(text)):  # ends too early
        found[text[:size]] = "VALUE_CONVERTER"
    while len(found) < 500:  # a byte that JSON or UTF-8 cannot have there
        at = draw.randrange(len(text))
        spoiled = (
            text[:at]
            + bytes([draw.choice([0, 1, 0x1F, 0x80, 0xC0, 0xFF, ord("}"), ord(","), ord("\\"), ord("x")])])
            + text[at + 1 :]
        )
        if b"\n" not in spoiled and b"\0" not in spoiled and not is_json(spoiled):
            found[spoiled] = "VALUE_CONVERTER"
    for i in range(150):  # no object, which a transformation of fields needs
        found[draw.choice(["{}", '"text {}"', "[{}]", "-{}.5"]).replace("{}", str(1000 + i)).encode()] = "TRANSFORMATION"
    for i in range(150):  # a transformation cannot read the time
        found[json.dumps({"at": f"{1000 + i}-99-{draw.choice(['', 'x', '1/1'])}"}).encode()] = "TRANSFORMATION"
    while len(found) < KINDS:  # the destination rejects the document, by one of many errors
        found[json.dumps({"refuse": f"kind_{len(found)}_exception"}).encode()] = "TASK_PUT"
    return found


def consume(server, topic, form):
    """Records as bytes in `form`, which ends with \\n."""
    done = subprocess.run(
        ["kcat", "-b", server.ports["kafka"], "-C", "-e", "-q", "-o", "beginning", "-t", topic, "-f", form],
        capture_output=True,
        timeout=120,
    )
    check(done.returncode == 0, f"kcat ended with {done.returncode}")
    return done.stdout


class Choosy(Elasticsearch):
    """Rejects documents that ask for it until `fixed`."""

    fixed = False

    def reject(self, document):
        return None if self.fixed else document.get("refuse")


def main():
    need("kcat")
    bad = poisons()
    check(len(bad) == KINDS, f"{len(bad)} kinds")
    values = [*bad, *(f'{{"seq":{i}}}'.encode() for i in range(GOOD))]
    random.Random(8).shuffle(values)
    with Choosy() as es, serving(config=CONFIG) as server:
        connect = Connect(server)
        connect.create("es", {**SINK, "connection.url": es.url})
        third = len(values) // 3 + 1
        for start in range(0, len(values), third):
            lines = b"".join(b"%d\t%s\n" % (i % 50, value) for i, value in enumerate(values[start : start + third]))
            done = subprocess.run(
                ["kcat", "-b", server.ports["kafka"], "-P", "-t", "cars", "-K", "\t"], input=lines, timeout=60
            )
            check(done.returncode == 0, "kcat produced")
            for _ in range(20):
                check(
                    server.metric("millrace_connect_balance_records") == 0, "the balance closes while records are on their way"
                )
            if start + third < len(values):
                server.kill()
                server.start()
        wait_until(connect.balance_closes, "the balance closes", 60)
        wait_until(lambda: len(es.documents) == GOOD, f"{len(es.documents)} of {GOOD} documents", 60)
        check(sorted(d["seq"] for d in es.documents.values()) == list(range(GOOD)), "each good record once")

        status, ledger = connect.call("GET", "/connectors/es/failures")
        entries = ledger["failures"]
        places = {(e["topic"], e["partition"], e["offset"]) for e in entries}
        check(
            status == 200 and ledger["count"] == len(entries) == len(places) == KINDS,
            f"{ledger['count']} entries in the ledger",
        )
        told = {}
        for line in consume(server, "cars", "%p %o %s\n").split(b"\n")[:-1]:
            partition, offset, value = line.split(b" ", 2)
            told["cars", int(partition), int(offset)] = value
        stages = {}
        for entry in entries:
            stages[entry["stage"]] = stages.get(entry["stage"], 0) + 1
            check(entry["error_class"] and entry["message"], f"{entry} says why")
        wanted = {stage: sum(s == stage for s in bad.values()) for stage in set(bad.values())}
        check(stages == wanted, f"stages {stages}, not {wanted}")
        check(not any(b'"seq"' in told[place] for place in places), "no good record is in the ledger")

        dead = consume(server, "dead", "%h@end@").decode(errors="replace").split("@end@")[:-1]
        origins = set()
        for line in dead:
            headers = dict(
                part.split("=", 1)
                for part in line.split(",__connect.errors.")
                for part in [part.removeprefix("__connect.errors.")]
            )
            origins.add((headers["topic"], int(headers["partition"]), int(headers["offset"])))
            check(headers["connector.name"] == "es" and headers["stage"] and headers["exception.class.name"], line)
        check(origins == places, f"{len(origins)} kinds in the dead letter topic")

        shown = subprocess.run(
            [MILLRACE, "failures", "show", "es", *map(str, sorted(places)[0]), "--url", f"http://{server.ports['connect']}"],
            capture_output=True,
            text=True,
            timeout=30,
        )
        check(shown.returncode == 0 and "error_class" in shown.stdout and "value" in shown.stdout, shown.stdout + shown.stderr)
        refused = sum(b"refuse" in value for value in bad)
        es.fixed = True
        replayed = subprocess.run(
            [MILLRACE, "failures", "replay", "es", "--url", f"http://{server.ports['connect']}"],
            capture_output=True,
            text=True,
            timeout=30,
        )
        check(replayed.returncode == 0 and f"{KINDS} records" in replayed.stdout, replayed.stdout + replayed.stderr)
        wait_until(
            lambda: connect.call("GET", "/connectors/es/failures")[1]["count"] == KINDS - refused,
            "the fixed ones leave the ledger",
            60,
        )
        check(len(es.documents) == GOOD + refused, "and are in the index")
        print(f"{KINDS} kinds by stage: {stages}; {len(dead)} dead letters")


main()
