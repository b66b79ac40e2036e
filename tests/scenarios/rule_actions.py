"""The dual write of scenario A: a rule hands every message to an HTTP service that is down, refuses, and comes back, while the
program is killed. Every acknowledged message arrives there, each device's in order; answers and error messages are in their
topics; republished messages carry MQTT 5 properties; a line of a file per message. RULE_ACTIONS_KILLS: how often (3)."""
import http.server
import json
import os
import subprocess
import threading
import time

from _server import Server, check, need, scratch, wait_until

KILLS = int(os.environ.get("RULE_ACTIONS_KILLS", "3"))
PER_ROUND = 60


class Old(http.server.ThreadingHTTPServer):
    """The old system: refuses type "bad" for good, answers 503 while `ill`."""
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self):
        self.seen, self.ill, self.alerts, self.lock = [], True, [], threading.Lock()
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status, answer = 200, b""
        with self.server.lock:
            message = json.loads(body)
            if self.path == "/hook":
                self.server.alerts.append(message)
            elif self.server.ill:
                status = 503
            elif message["type"] == "bad":
                status, answer = 400, b"unknown type"
            else:
                self.server.seen.append((message["device_no"], message["n"], self.headers["Idempotency-Key"]))
                answer = json.dumps({"vehicle": "V-" + message["device_no"]}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def config(port, lines):
    return f"""
actions.file.dir: {lines}
topics:
  - {{name: answers, partitions: 2}}
  - {{name: rule-errors, partitions: 1}}
rules:
  dual:
    sql: SELECT * FROM 'report'
    actions:
      - http:
          url: "http://127.0.0.1:{port}/${{type}}"
          key: "${{device_no}}"
          answer: {{topic: answers, key: "${{device_no}}"}}
      - file: {{name: "debug.jsonl"}}
    errorAction: {{kafka: {{topic: rule-errors}}}}
  alert:
    sql: SELECT * FROM 'report' WHERE type = 'bad'
    actions:
      - webhook: {{url: "http://127.0.0.1:{port}/hook", text: "device ${{device_no}} says \\"bad\\""}}
      - republish:
          topic: "alerts/${{device_no}}"
          qos: 1
          headers:
            contentType: application/json
            messageExpiry: "60"
            userProperties: [{{key: device, value: "${{device_no}}"}}]
"""


def report(n, kind="log"):
    return json.dumps({"device_no": f"T-{n % 5}", "type": kind, "n": n})


def subscriber(server):
    return subprocess.Popen(["mosquitto_sub", "-h", "127.0.0.1", "-p", server.port("mqtt"), "-V", "5", "-t", "alerts/#",
                             "-C", "1", "-W", "30", "-F", "%t %C %P"], stdout=subprocess.PIPE, text=True)


def main():
    need("mosquitto_pub", "mosquitto_sub", "kcat")
    lines = scratch() / "lines"
    lines.mkdir(exist_ok=True)
    old = Old()
    server = Server(config=config(old.server_port, lines)).start()
    total = 0
    try:
        for kill in range(KILLS):
            server.publish([report(n) for n in range(total, total + PER_ROUND)])
            total += PER_ROUND
            if kill == 1:
                old.ill = False  # the second kill comes while it delivers
                wait_until(lambda: len(old.seen) > 10, "something is delivered")
            server.kill()
            old.ill = kill == 0
            server.start()
        wait_until(lambda: len({n for _, n, _ in old.seen}) == total, "every acknowledged message arrives", 60)
        first = {}
        for device, n, key in old.seen:
            first.setdefault(n, (device, key))
            check(first[n][1] == key, f"message {n} comes again under another Idempotency-Key")
        for device in {d for d, _ in first.values()}:
            numbers = [n for n in first if first[n][0] == device]
            check(numbers == sorted(numbers), f"{device}: first arrivals out of order")
        wait_until(lambda: len(server.consume("answers", "%k\n")) >= total, "the answers are in their topic")

        listening = subscriber(server)
        time.sleep(0.5)  # mosquitto_sub says nothing when it is subscribed
        server.publish([report(total, "bad")])
        heard = listening.communicate(timeout=40)[0].strip()
        check(heard == f"alerts/T-{total % 5} application/json device:T-{total % 5}", f"republished with properties: {heard!r}")
        wait_until(lambda: old.alerts == [{"text": f'device T-{total % 5} says "bad"'}], "the alert")
        wait_until(lambda: server.consume("rule-errors", "%s\n"), "an error message")
        errors = [json.loads(line) for line in server.consume("rule-errors", "%s\n")]
        check(len(errors) == 1, f"{len(errors)} error messages for one rule and message")
        check(errors[0]["failures"] == [{"failedAction": "HttpAction",
                                         "failedResource": f"http://127.0.0.1:{old.server_port}/bad",
                                         "errorMessage": "the HTTP endpoint refuses: 400 unknown type (unavailable)"}],
              f"{errors[0]}")
        written = {json.loads(line)["n"] for line in (lines / "debug.jsonl").read_text().splitlines()}
        check(written == set(range(total + 1)), f"{len(written)} of {total + 1} messages have their line")
        check(server.metric("millrace_rule_deliveries_pending") == 0, "nothing waits")
        # A destination that is down is no reason not to stop.
        old.ill = True
        server.publish([report(total + 1)])
        check(server.stop() == 0, "clean stop while a delivery waits")
    finally:
        server.abandon()


main()
