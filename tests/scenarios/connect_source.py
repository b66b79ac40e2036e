"""Lines of a file become records exactly once and in order, through kill -9 while the file grows; positions are where
Kafka Connect keeps them; a listener with log-in and TLS asks for both."""

import base64
import json
import os
import ssl
import subprocess
import threading
import urllib.error
import urllib.request

from _certificates import Authority
from _connect import Connect
from _server import MILLRACE, check, need, scratch, serving, wait_until

CONFIG = "topics:\n  - {name: lines, partitions: 1}\n"
KILLS, LINES = int(os.environ.get("MILLRACE_KILL_CYCLES", "8")), 60_000


def exactly_once():
    path = scratch() / "growing.txt"
    path.write_text("")
    grown = threading.Event()

    def grow():
        with open(path, "a", encoding="utf-8") as out:
            for i in range(LINES):
                out.write(f"{i} {'x' * (i % 90)}\r\n" if i % 3 else f"{i} {'x' * (i % 90)}\n")
                if i % 50 == 0:
                    out.flush()
        grown.set()

    with serving(config=CONFIG) as server:
        connect = Connect(server)
        connect.create(
            "lines",
            {
                "connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector",
                "file": str(path),
                "topic": "lines",
                "batch.size": "500",
            },
        )
        thread = threading.Thread(target=grow)
        thread.start()
        for kill in range(KILLS):
            wait_until(
                lambda: server.metric("millrace_connect_delivered_records") > 0 or grown.is_set(), "some lines are there"
            )
            server.kill()
            server.start()
        thread.join()
        end = {"offsets": [{"partition": {"filename": str(path)}, "offset": {"position": path.stat().st_size}}]}
        wait_until(lambda: connect.call("GET", "/connectors/lines/offsets") == (200, end), "the position is the file's end", 60)
        got = server.consume("lines", form="%s\n")
        check(
            [int(line.split(" ")[0]) for line in got] == list(range(LINES)),
            f"{len(got)} records of {LINES}, each once and in order",
        )
        check(server.metric("millrace_connect_balance_records") == 0, "the balance closes")
        key, value = server.consume("connect-offsets", form="%k|%s\n")[-1].split("|")
        check(
            json.loads(key) == ["lines", {"filename": str(path)}] and json.loads(value) == end["offsets"][0]["offset"],
            f"{key} {value}",
        )
        check(connect.states("lines") == ["RUNNING", "RUNNING"], "it runs")


def guarded():
    authority = Authority(scratch() / "tls")
    certificate, key = authority.server()
    hashed = subprocess.run(
        [MILLRACE, "users", "hash", "ann"], input="open sesame", capture_output=True, text=True, check=False
    )
    check(hashed.returncode == 0, hashed.stderr)
    users = scratch() / "users"
    users.write_text(hashed.stdout)
    config = (
        f"{CONFIG}super.users: [ann]\nauth.password.file: {users}\nconnect.tls: true\nconnect.authentication: required\n"
        f"tls.certificate.file: {certificate}\ntls.key.file: {key}\n"
    )
    with serving(config=config, name="guarded", data=scratch() / "guarded") as server:
        trust = ssl.create_default_context(cafile=str(authority.certificate))

        def status(headers):
            request = urllib.request.Request(f"https://{server.ports['connect']}/connectors", headers=headers)
            try:
                with urllib.request.urlopen(request, timeout=20, context=trust) as answer:
                    return answer.status
            except urllib.error.HTTPError as error:
                return error.code

        pair = base64.b64encode(b"ann:open sesame").decode()
        check(status({}) == 401, "nobody is let in without a name")
        check(status({"Authorization": "Basic " + base64.b64encode(b"ann:wrong").decode()}) == 401, "nor with a wrong password")
        check(status({"Authorization": f"Basic {pair}"}) == 200, "ann is")
        verb = [
            MILLRACE,
            "connectors",
            "--url",
            f"https://localhost:{server.port('connect')}",
            "--ca",
            str(authority.certificate),
        ]
        check(
            subprocess.run([*verb, "--user", "ann:open sesame"], capture_output=True, check=False).returncode == 0,
            "the verb logs in",
        )
        asked = subprocess.run(verb, capture_output=True, text=True, check=False)
        check(asked.returncode != 0 and "--user" in asked.stderr, f"and says how: {asked.stderr}")


def main():
    need("kcat", "openssl")
    exactly_once()
    guarded()


main()
