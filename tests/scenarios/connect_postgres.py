"""A PostgreSQL of Debian: rows by COPY, upserts by key with deletes, kill -9 in between: every record is in the table once.
One bad row among many is isolated and goes to the ledger."""
# timeout: 600
import json
import os
import subprocess

from _connect import Connect
from _postgres import Postgres
from _server import check, need, serving, wait_until

JSON = {"value.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter.schemas.enable": "false"}
CONFIG = "topics:\n" + "".join(f"  - {{name: {name}, partitions: 3}}\n" for name in ("plain", "keyed", "poison"))


def produce(server, topic, records):
    lines = "".join(f"{key}\t{value}\n" for key, value in records)
    done = subprocess.run(["kcat", "-b", server.ports["kafka"], "-P", "-t", topic, "-K", "\t", "-Z"], input=lines, text=True,
                          timeout=60)
    check(done.returncode == 0, "kcat produced")


def main():
    need("kcat", "runuser" if os.getuid() == 0 else "kcat")
    with Postgres() as postgres, serving(config=CONFIG) as server:
        connect = Connect(server)
        common = {"connector.class": "JdbcSinkConnector", "auto.create": "true", "auto.evolve": "true", **JSON,
                  **postgres.settings()}
        connect.create("plain", {**common, "topics": "plain", "tasks.max": "2"})
        connect.create("keyed", {**common, "topics": "keyed", "insert.mode": "upsert", "pk.mode": "record_key", "pk.fields": "id",
                                 "delete.enabled": "true"})
        total = 0
        for cycle in range(6):
            rows = [{"seq": i, "speed": i / 2, "text": "tab\there", "more": {"a": [1]}} for i in range(total, total + 2000)]
            produce(server, "plain", [(f"d{row['seq']}", json.dumps(row)) for row in rows])
            total += 2000
            produce(server, "keyed", [(f"k{i}", json.dumps({"cycle": cycle}) if i or cycle < 5 else "")
                                      for i in range(100)])
            server.kill()
            server.start()
        wait_until(lambda: postgres.query("SELECT count(*) FROM plain") == [str(total)], "all rows", 60)
        check(postgres.query("SELECT count(DISTINCT seq), min(seq), max(seq) FROM plain") == [f"{total}|0|{total - 1}"],
              "each record is one row")
        row = postgres.query("SELECT more->'a'->>0, speed, text FROM plain WHERE seq = 3")
        check(row == ["1|1.5|tab\there"], "values arrive")
        wait_until(lambda: postgres.query("SELECT count(*), min(cycle), max(cycle) FROM keyed") == ["99|5|5"],
                   "keys have their last value")

        connect.create("poison", {**common, "topics": "poison", "errors.tolerance": "all", "pk.mode": "kafka",
                                  "errors.deadletterqueue.topic.name": "dead"})
        produce(server, "poison", [("k", '{"n": 1}')])
        wait_until(lambda: postgres.query("SELECT count(*) FROM poison") == ["1"], "the table is made", 30)
        produce(server, "poison", [(f"k{i}", json.dumps({"n": "not a number" if i % 100 == 7 else i})) for i in range(1000)])
        wait_until(lambda: postgres.query("SELECT count(*) FROM poison") == ["991"], "all but the bad rows", 60)
        wait_until(connect.balance_closes, "the balance closes", 30)
        check(connect.call("GET", "/connectors/poison/failures")[1]["count"] == 10, "the ledger has each bad row once")
        check(len(server.consume("dead")) == 10, "and the dead letter topic")


main()
