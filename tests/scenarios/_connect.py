"""Kafka Connect's REST interface of a running millrace, for the scenarios."""
import json
import urllib.error
import urllib.request

from _server import DEADLINE_S, check, wait_until


class Connect:
    def __init__(self, server):
        self.server = server

    def call(self, method, path, body=None):
        """(status, body as JSON or None)."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://{self.server.ports['connect']}{path}", data=data, method=method,
                                         headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            text = error.read()
            return error.code, json.loads(text) if text else None

    def create(self, name, config):
        status, answer = self.call("POST", "/connectors", {"name": name, "config": config})
        check(status == 201, f"POST /connectors answered {status}: {answer}")
        return answer

    def states(self, name):
        status, answer = self.call("GET", f"/connectors/{name}/status")
        check(status == 200, f"GET status answered {status}: {answer}")
        return [answer["connector"]["state"]] + [task["state"] for task in answer["tasks"]]

    def wait_running(self, name):
        wait_until(lambda: set(self.states(name)) == {"RUNNING"}, f"{name} is RUNNING")

    def balance_closes(self):
        values = [self.server.metric(f"millrace_connect_{name}_records") for name in ("balance", "pending")]
        return values == [0, 0]
