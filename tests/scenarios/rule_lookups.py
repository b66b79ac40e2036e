"""What rules ask beyond their message: rows of a topic and of a PostgreSQL table, functions behind a URL that are slow, fail or
hang, Protobuf with a registered descriptor. A waiting message holds its own acknowledgement and those behind it on its
connection, nobody else's; a rule replaced meanwhile does not judge it; kill -9 loses nothing that was acknowledged."""
import base64
import http.server
import json
import os
import struct
import subprocess
import threading
import time

from _mqtt import Publisher
from _postgres import Postgres
from _server import MILLRACE, Server, check, need, scratch, wait_until


class Functions(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        self.gate, self.calls, self.lock = threading.Event(), [], threading.Lock()
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass  # who asked has given up


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.calls.append(asked)
        status, answer = 200, json.dumps({"twice": asked["n"] * 2}).encode()
        if asked["how"] == "gate":
            self.server.gate.wait(1.8)
        elif asked["how"] == "hang":
            time.sleep(3)
        elif asked["how"] == "bad":
            status, answer = 500, b"no such model"
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


CONFIG = """
topics:
  - {name: vehicles, partitions: 2, config: {cleanup.policy: compact}}
  - {name: out, partitions: 1}
  - {name: rule-errors, partitions: 1}
"""


def action(key="${clientid()}"):
    return [{"kafka": {"topic": "out", "key": key}}]


def rule(sql, **more):
    return json.dumps({"sql": sql, "actions": action(), "errorAction": {"kafka": {"topic": "rule-errors"}}, **more})


class Site:
    def __init__(self, server):
        self.server = server

    def rules(self, *words, stdin=None, status=0):
        done = subprocess.run([MILLRACE, "rules", *words, "--url", "http://" + self.server.ports["http"]], capture_output=True,
                              input=stdin if stdin is None or isinstance(stdin, bytes) else stdin.encode(), timeout=60)
        said = (done.stdout + done.stderr).decode()
        check(done.returncode == status, f"rules {' '.join(words)} ended with {done.returncode}: {said}")
        return said

    def produce(self, topic, key, value):
        done = subprocess.run(["kcat", "-b", self.server.ports["kafka"], "-P", "-t", topic, "-K", "\t", "-Z"],
                              input=f"{key}\t{value}\n", text=True, timeout=60)
        check(done.returncode == 0, "kcat produced")

    def out(self, topic="out"):
        return [json.loads(line) for line in self.server.consume(topic, "%s\n")]

    def outputs(self, count, topic="out", within_s=15):
        wait_until(lambda: len(self.out(topic)) >= count, f"{count} records in {topic}", within_s)
        return self.out(topic)


def tables(site, postgres):
    said = site.rules("create", "enrich", "-", status=1, stdin=rule("SELECT lookup('vehicles', v) AS x FROM 'm'"))
    check("there is no table 'vehicles'" in said, said)
    said = site.rules("create", "score", "-", status=1, stdin=rule("SELECT aws_lambda('score', *) AS x FROM 'm'"))
    check("there is no function 'score'" in said, said)
    site.rules("tables", "put", "vehicles", "-", stdin='{"topic": "vehicles", "maxBytes": "1MiB"}')
    check("topic=vehicles" in site.rules("tables", "list"), "list")
    site.produce("vehicles", "A1", '{"owner": "kim", "limit": 80}')
    wait_until(lambda: json.loads(site.rules("tables", "get", "vehicles"))["rowsInMemory"] == 1, "the row is read")
    check(json.loads(site.rules("tables", "row", "vehicles", "A1"))["owner"] == "kim", "row")
    check("there is no such row" in site.rules("tables", "row", "vehicles", "B2", status=1), "no row")
    site.rules("create", "enrich", "-", stdin=rule(
        "SELECT v, get_dynamodb('vehicles', 'id', v, 'role').owner AS owner, speed > lookup('vehicles', v).limit AS fast "
        "FROM 'm'"))
    said = site.rules("tables", "delete", "vehicles", status=1)
    check("is named by the rule enrich" in said, said)
    site.server.publish(['{"v": "A1", "speed": 90}', '{"v": "B2", "speed": 90}'], topic="m")
    check(site.outputs(2) == [{"v": "A1", "owner": "kim", "fast": True}, {"v": "B2"}], f"{site.out()}")
    site.produce("vehicles", "B2", '{"owner": "lee", "limit": 100}')
    wait_until(lambda: site.server.http("/rule-tables/vehicles/row?key=B2")[0] == 200, "a new row")
    site.server.publish(['{"v": "B2", "speed": 90}'], topic="m")
    check(site.outputs(3)[2] == {"v": "B2", "owner": "lee", "fast": False}, f"{site.out()}")
    if postgres is None:
        return 3
    postgres.query("CREATE TABLE customer (id int, year int, name text, PRIMARY KEY (id, year));"
                   "INSERT INTO customer VALUES (7, 2025, 'old'), (7, 2026, 'new'), (8, 2026, 'o''hara')")
    site.rules("tables", "put", "customers", "-", stdin=json.dumps({
        "postgres": f"jdbc:postgresql://127.0.0.1:{postgres.port}/postgres", "user": postgres.user, "table": "public.customer",
        "key": "id", "sortKey": "year", "ttl": "1h"}))
    site.rules("create", "customer", "-", stdin=rule(
        "SELECT c, get_dynamodb('customers', 'id', c, 'year', 2026).name AS name FROM 'c'"))
    site.server.publish(['{"c": 7}', '{"c": 8}', '{"c": 9}', '{"c": "x\' OR 1=1"}', '{"c": 7}'], topic="c")
    check(site.outputs(8)[3:] == [{"c": 7, "name": "new"}, {"c": 8, "name": "o'hara"}, {"c": 9}, {"c": "x' OR 1=1"},
                                  {"c": 7, "name": "new"}], f"{site.out()}")
    postgres.query("UPDATE customer SET name = 'changed' WHERE id = 7")
    site.server.publish(['{"c": 7}'], topic="c")
    check(site.outputs(9)[8]["name"] == "new", "remembered")
    return 9


def functions(site, functions_server, before):
    url = f"http://127.0.0.1:{functions_server.server_address[1]}/"
    site.rules("functions", "put", "score", "-", stdin=json.dumps({"url": url, "headers": {"Authorization": "Bearer s3cret"}}))
    check("s3cret" not in site.rules("functions", "get", "score"), "secrets are not shown")
    sql = ("SELECT n, aws_lambda('arn:aws:lambda:eu-west-1:123456789012:function:score', {{'n': n, 'how': how}}).twice "
           "AS twice, {} AS v FROM 'f'")
    site.rules("create", "score", "-", stdin=rule(sql.format(1)))
    slow, other = (Publisher(site.server.port("mqtt"), name) for name in ("slow", "other"))

    def message(n, how="now", topic="f"):
        return n, topic, json.dumps({"n": n, "how": how, "v": "A1", "speed": 1}).encode()

    waiting = threading.Thread(target=slow.publish, args=([message(1, "gate"), message(2, topic="m"), message(3)],))
    waiting.start()
    wait_until(lambda: any(call["how"] == "gate" for call in functions_server.calls), "the function was asked")
    site.rules("replace", "score", "-", stdin=rule(sql.format(2)))
    began = time.monotonic()
    check(other.publish([message(n) for n in range(10, 30)], 5), "another client is acknowledged")
    took = time.monotonic() - began
    check(slow.acknowledged == [] and took < 1, f"others wait ({took:.2f} s), or the slow one does not: {slow.acknowledged}")
    functions_server.gate.set()
    waiting.join(20)
    check(slow.acknowledged == [1, 2, 3], f"in order: {slow.acknowledged}")
    records = site.outputs(before + 23)[before:]
    mine = [r for r in records if r.get("n", 0) < 10]
    check(mine == [{"n": 1, "twice": 2, "v": 1}, {"v": "A1", "owner": "kim", "fast": False}, {"n": 3, "twice": 6, "v": 1}] or
          mine == [{"n": 1, "twice": 2, "v": 1}, {"v": "A1", "owner": "kim", "fast": False}, {"n": 3, "twice": 6, "v": 2}],
          f"in order, the first by the rule of its time: {mine}")
    check([r["n"] for r in records if r.get("n", 0) >= 10] == list(range(10, 30)), "the other client's, in order")
    check(all(r["v"] == 2 for r in records if r.get("n", 0) >= 10), "by the new rule")

    began = time.monotonic()
    check(slow.publish([message(40, "bad"), message(41, "hang"), message(42)], 10), "failures are acknowledged")
    took = time.monotonic() - began
    check(took < 3, f"a function has two seconds, this took {took:.1f}")
    errors = site.outputs(2, "rule-errors")
    reasons = [error["failures"][0]["errorMessage"] for error in errors]
    check(len(errors) == 2 and "HTTP 500: no such model" in reasons[0] and "no answer within 2000 ms" in reasons[1], f"{errors}")
    check(json.loads(base64.b64decode(errors[0]["base64OriginalPayload"]))["n"] == 40, "with the payload")
    check(len(site.outputs(before + 24)) == before + 24, "and the message behind them")
    check(sum(call["n"] == 41 for call in functions_server.calls) == 1, "a call is never repeated")
    slow.close()
    other.close()
    return before + 24


def kill_while_waiting(site, functions_server, before):
    functions_server.gate.clear()
    client = Publisher(site.server.port("mqtt"), "killed")
    message = (50, "f", b'{"n": 50, "how": "gate"}')
    thread = threading.Thread(target=client.publish, args=([message],))
    thread.start()
    wait_until(lambda: any(call["n"] == 50 for call in functions_server.calls), "asked")
    site.server.kill()
    thread.join(10)
    client.close()
    site.server.start()
    check(client.acknowledged == [] and len(site.out()) == before, "not acknowledged, not stored")
    functions_server.gate.set()
    again = Publisher(site.server.port("mqtt"), "killed")
    check(again.publish([message], 10) and site.outputs(before + 1)[before] == {"n": 50, "twice": 100, "v": 2}, "sent again")
    again.close()
    site.server.publish(['{"v": "A1", "speed": 90}'], topic="m")
    check(site.outputs(before + 2)[before + 1]["owner"] == "kim", "the tables are there again")
    # A graceful stop lets what waits be answered and acknowledged.
    functions_server.gate.clear()
    last = Publisher(site.server.port("mqtt"), "last")
    thread = threading.Thread(target=last.publish, args=([(60, "f", b'{"n": 60, "how": "gate"}')],))
    thread.start()
    wait_until(lambda: any(call["n"] == 60 for call in functions_server.calls), "asked")
    threading.Timer(0.5, functions_server.gate.set).start()
    check(site.server.stop() == 0, "stopped")
    thread.join(10)
    check(last.acknowledged == [60], "acknowledged before the stop")
    site.server.start()
    check(site.outputs(before + 3)[before + 2]["n"] == 60, "and stored")


def protobuf(site):
    with open(os.path.join(os.environ["SOURCE"], "tests/data/protobuf/descriptor.b64"), encoding="ascii") as file:
        descriptor = base64.b64decode(file.read())
    site.rules("descriptors", "put", "car.desc", "-", stdin=descriptor)
    check("car.Trip" in site.rules("descriptors", "get", "car.desc"), "its messages")
    said = site.rules("create", "trip", "-", status=1, stdin=rule(
        "SELECT VALUE decode(encode(*, 'base64'), 'proto', 'car.desc', 'Trips') FROM 'trip'"))
    check("has no message Trips" in said, said)
    site.rules("create", "trip", "-", stdin=rule(
        "SELECT VALUE decode(encode(*, 'base64'), 'proto', 'bucket', 'car.desc', 'cases', 'Trip') FROM 'trip' "
        "WHERE decode(encode(*, 'base64'), 'proto', 'car.desc', 'car.Trip').speed > 50"))
    count = len(site.out())
    client = Publisher(site.server.port("mqtt"), "pb")
    fast, slow = (b"\x0a\x02A1\x10" + bytes([speed]) + b"\x7a\x09\x09" + struct.pack("<d", 47.5) for speed in (90, 10))
    check(client.publish([(1, "trip", fast), (2, "trip", slow), (3, "trip", b"\xff\xff")]), "published")
    client.close()
    check(site.outputs(count + 1)[count:] == [{"id": "A1", "speed": 90, "at": {"lat": 47.5}}], f"{site.out()[count:]}")


def main():
    need("kcat", "mosquitto_pub")
    functions_server = Functions()
    server = Server(config=CONFIG)
    try:
        server.start()
        site = Site(server)
        with Postgres() as postgres:
            count = tables(site, postgres)
        count = functions(site, functions_server, count)
        kill_while_waiting(site, functions_server, count)
        protobuf(site)
        site.rules("delete", "enrich")
        site.rules("tables", "delete", "vehicles")
        unknown = "rules:\n  r: {sql: \"SELECT lookup('t', a) AS b FROM 'x'\", actions: [{kafka: {topic: out}}]}\n"
        refused = Server(config=CONFIG + unknown, data=scratch() / "other", name="refused")
        status, said = refused.refuse()
        check(status != 0 and "there is no table 't'" in said, said)
    finally:
        server.abandon()


main()
