"""What user interfaces ask of Kafka Connect's REST interface, in their order, and what they can read of the answers: Kafka
UI (kafbat and provectus) and kcctl. The calls and the fields with their types come from the contracts the programs publish
(kafka-connect-api.yaml; kcctl's KafkaConnectApi); an answer with another type, or a text that their enumerations do not
have, would not be shown there. The programs themselves: tests/clients/connect_kcctl.py and connect_akhq.py.
"""
import json
import subprocess

from _connect import Connect
from _server import check, need, scratch, serving, wait_until

CONFIG = "topics:\n  - {name: cars, partitions: 2}\n"
CLASS = "org.apache.kafka.connect.file.FileStreamSinkConnector"

# A shape: a type; a set of texts; [shape of every element]; {member: shape}, "?" behind a member that may be null or missing;
# {...: shape of every member's value}.
STATES = {"RUNNING", "FAILED", "PAUSED", "UNASSIGNED", "RESTARTING", "STOPPED"}
TASK = {"connector": str, "task": int}
STATE = {"state": STATES, "worker_id": str, "trace?": str}
TASK_STATUS = {"id": int, **STATE}
STATUS = {"name": str, "connector": STATE, "tasks": [TASK_STATUS], "type": {"sink", "source"}}
CONNECTOR = {"name": str, "config": {...: str}, "tasks": [TASK], "type": {"sink", "source"}}
DEFINITION = {
    "name": str,
    "type": {"BOOLEAN", "CLASS", "DOUBLE", "INT", "LIST", "LONG", "PASSWORD", "SHORT", "STRING"},
    "required": bool,
    "default_value?": str,
    "importance": {"LOW", "MEDIUM", "HIGH"},
    "documentation": str,
    "group?": str,
    "width": {"SHORT", "MEDIUM", "LONG", "NONE"},
    "display_name": str,
    "dependents": [str],
    "order": int,
}
VALUE = {"name": str, "value?": str, "recommended_values": [str], "errors": [str], "visible": bool}
VALIDATION = {"name": str, "error_count": int, "groups": [str], "configs": [{"definition": DEFINITION, "value": VALUE}]}
ERROR = {"error_code": int, "message": str}
PLACE = {"partition": {...: object}, "offset": {...: object}}
LOGGER = {"level": str, "last_modified?": int}


def fits(value, shape, where="answer"):
    """What is wrong, or None."""
    if isinstance(shape, set):
        return None if value in shape else f"{where} is {value!r}, not one of {sorted(shape)}"
    if isinstance(shape, type):
        same = isinstance(value, shape) and not (shape is int and isinstance(value, bool))
        return None if same else f"{where} is {value!r}, no {shape.__name__}"
    if isinstance(shape, list):
        if not isinstance(value, list):
            return f"{where} is no list"
        faults = (fits(one, shape[0], f"{where}[{i}]") for i, one in enumerate(value))
    elif not isinstance(value, dict):
        return f"{where} is no object: {value!r}"
    elif ... in shape:
        faults = (fits(one, shape[...], f"{where}.{name}") for name, one in value.items())
    else:
        faults = []
        for name, inner in shape.items():
            given = value.get(name.rstrip("?"))
            if given is None and name.endswith("?"):
                continue
            if name.rstrip("?") not in value:
                return f"{where} has no {name}"
            faults.append(fits(given, inner, f"{where}.{name}"))
    return next((fault for fault in faults if fault), None)


def sink(**more):
    return {"connector.class": CLASS, "topics": "cars", "file": str(scratch() / "out"), **more}


class Client:
    """Asks, and checks status and shape."""

    def __init__(self, connect):
        self.connect, self.calls = connect, 0

    def __call__(self, method, path, status, shape=None, body=None):
        self.calls += 1
        got, answer = self.connect.call(method, path, body)
        check(got == status, f"{method} {path} answered {got}, not {status}: {answer}")
        if shape is None:
            check(answer is None, f"{method} {path} has a body: {answer}")
            return None
        fault = fits(answer, shape)
        check(fault is None, f"{method} {path}: {fault}")
        return answer

    def until(self, path, shape, condition):
        wait_until(lambda: condition(self("GET", path, 200, shape)), f"{path}: {self.connect.call('GET', path)}")


def kafka_ui(ask):
    """The list of connectors, a form for a new one, its page, each of its buttons."""
    check(ask("GET", "/connectors", 200, [str]) == [], "none yet")
    plugins = ask("GET", "/connector-plugins", 200, [{"class": str}])
    check({"class": CLASS}.items() <= next(p for p in plugins if p["class"] == CLASS).items(), "the file sink")
    for plugin in plugins:  # the form validates an empty configuration to learn the settings
        name = plugin["class"]
        answer = ask("PUT", f"/connector-plugins/{name}/config/validate", 200, VALIDATION, {"connector.class": name})
        check(answer["name"] == name and answer["configs"], f"{name} has settings")
    wrong = ask("PUT", f"/connector-plugins/{CLASS}/config/validate", 200, VALIDATION, sink(name="ui", **{"tasks.max": "none"}))
    check(wrong["error_count"] == 1, "and says what is wrong")
    # Its editor hands on what was typed: numbers and truth values too. Its `connect` and null members are not sent.
    new = {"name": "ui", "config": sink(**{"tasks.max": 2, "errors.log.enable": True})}
    made = ask("POST", "/connectors", 201, CONNECTOR, new)
    check(made["config"]["tasks.max"] == "2" and made["config"]["errors.log.enable"] == "true", made)
    ask("POST", "/connectors", 400, ERROR, {"name": "bad", "config": {"connector.class": CLASS, "tasks.max": "none"}})
    for path, shape in (
        ("/connectors", [str]),
        ("/connectors?search=", [str]),
        ("/connectors/ui", CONNECTOR),
        ("/connectors/ui/config", {...: str}),
        ("/connectors/ui/status", STATUS),
        ("/connectors/ui/topics", {...: {"topics": [str]}}),
    ):
        ask("GET", path, 200, shape)
    ask.until("/connectors/ui/status", STATUS, lambda s: [t["state"] for t in s["tasks"]] == ["RUNNING"] * 2)
    for task in ask("GET", "/connectors/ui/tasks", 200, [{"id": TASK, "config": {...: str}}]):
        ask("GET", f"/connectors/ui/tasks/{task['id']['task']}/status", 200, TASK_STATUS)
    ask("GET", "/connectors/ui/tasks/9/status", 404, ERROR)
    ask("GET", "/connectors/none/status", 404, ERROR)
    ask("PUT", "/connectors/ui/config", 200, CONNECTOR, sink(**{"tasks.max": 1}))
    ask("POST", "/connectors/ui/restart?includeTasks=false&onlyFailed=false", 204)
    ask("POST", "/connectors/ui/tasks/0/restart", 204)
    for button, state in (("pause", "PAUSED"), ("resume", "RUNNING"), ("stop", "STOPPED"), ("resume", "RUNNING")):
        ask("PUT", f"/connectors/ui/{button}", 204 if button == "stop" else 202)
        ask.until("/connectors/ui/status", STATUS, lambda s, state=state: s["connector"]["state"] == state)
    ask("DELETE", "/connectors/ui/offsets", 400, ERROR)
    ask("PUT", "/connectors/ui/stop", 204)
    ask.until("/connectors/ui/status", STATUS, lambda s: s["connector"]["state"] == "STOPPED" and s["tasks"] == [])
    ask("DELETE", "/connectors/ui/offsets", 200, {"message": str})
    ask("DELETE", "/connectors/ui", 204)
    ask("GET", "/connectors/ui", 404, ERROR)


def kcctl(ask, server):
    """Its commands, one after the other."""
    info = ask("GET", "/", 200, {"version": str, "commit": str, "kafka_cluster_id": str})
    check(tuple(int(n) for n in info["version"].split(".")[:2]) >= (3, 6), "it shows offsets from 3.6 on")
    ask("GET", "/connector-plugins?connectorsOnly=true", 200, [{"class": str, "type": {"sink", "source"}, "version?": str}])
    kinds = {"sink", "source", "converter", "header_converter", "transformation", "predicate"}
    every = ask("GET", "/connector-plugins?connectorsOnly=false", 200, [{"class": str, "type": kinds, "version?": str}])
    check({p["type"] for p in every} == kinds, "all kinds")
    for plugin in every:
        ask("GET", f"/connector-plugins/{plugin['class']}/config", 200, [DEFINITION])
    # apply: validate when --dry-run, then PUT or POST with a '/' behind the path.
    ask("PUT", f"/connector-plugins/{CLASS}/config/validate", 200, VALIDATION, sink(name="kc"))
    ask("GET", "/connectors/", 200, [str])
    ask("POST", "/connectors/", 201, CONNECTOR, {"name": "kc", "config": sink()})
    ask("PUT", "/connectors/kc/config", 200, CONNECTOR, sink(**{"tasks.max": "2"}))
    ask.until("/connectors/kc/status", STATUS, lambda s: [t["state"] for t in s["tasks"]] == ["RUNNING"] * 2)
    expanded = ask("GET", "/connectors?expand=info&expand=status", 200, {...: {"info": CONNECTOR, "status": STATUS}})
    check(list(expanded) == ["kc"], expanded)
    ask("GET", "/connectors/kc/topics", 200, {...: {"topics": [str]}})
    ask("POST", "/connectors/kc/restart", 204)
    ask("POST", "/connectors/kc/restart?includeTasks=true&onlyFailed=false", 202, STATUS)
    ask("POST", "/connectors/kc/tasks/1/restart", 204)
    ask("POST", "/connectors/kc/tasks/7/restart", 404, ERROR)
    ask.until("/connectors/kc/status", STATUS, lambda s: [t["state"] for t in s["tasks"]] == ["RUNNING"] * 2)
    lines = "".join(f'd{i}\t{{"seq":{i}}}\n' for i in range(100))
    subprocess.run(["kcat", "-b", server.ports["kafka"], "-P", "-t", "cars", "-K", "\t"], input=lines, text=True, check=True)
    offsets = {"offsets": [PLACE]}
    ask.until("/connectors/kc/offsets", offsets, lambda o: sum(p["offset"]["kafka_offset"] for p in o["offsets"]) == 100)
    move = {"offsets": [{"partition": {"kafka_topic": "cars", "kafka_partition": 0}, "offset": {"kafka_offset": 3}}]}
    refused = ask("PATCH", "/connectors/kc/offsets", 400, ERROR, move)
    check(refused["message"].startswith("Connectors must be in the STOPPED state before their offsets can be modified."), refused)
    ask("PUT", "/connectors/kc/stop", 204)
    ask.until("/connectors/kc/status", STATUS, lambda s: s["connector"]["state"] == "STOPPED")
    said = ask("PATCH", "/connectors/kc/offsets", 200, {"message": str}, move)["message"]
    check(said == "The offsets for this connector have been altered successfully", said)
    said = ask("DELETE", "/connectors/kc/offsets", 200, {"message": str})["message"]
    check(said == "The offsets for this connector have been reset successfully", said)
    ask("PUT", "/connectors/kc/resume", 202)
    ask("GET", "/admin/loggers", 200, {...: LOGGER})
    ask("PUT", "/admin/loggers/root", 200, [str], {"level": "DEBUG"})
    check(ask("GET", "/admin/loggers/root", 200, LOGGER)["level"] == "DEBUG", "the level was set")
    ask("PUT", "/admin/loggers/root?scope=cluster", 204, None, {"level": "INFO"})
    ask("PUT", "/admin/loggers/root", 404, ERROR, {"level": "LOUD"})
    ask("DELETE", "/connectors/kc", 204)
    ask("DELETE", "/connectors/kc", 404, ERROR)


def main():
    need("kcat")
    with serving(config=CONFIG) as server:
        ask = Client(Connect(server))
        kafka_ui(ask)
        calls = ask.calls
        kcctl(ask, server)
        print(json.dumps({"kafka_ui_calls": calls, "kcctl_calls": ask.calls - calls}))


main()
