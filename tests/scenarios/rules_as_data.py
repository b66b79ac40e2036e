"""Rules made, replaced, switched off and removed over HTTP while the server runs; they are in force when the answer comes, and
still after kill -9. `millrace rules test` and POST /rules/test say why a rule fires."""
import json
import subprocess
import urllib.error
import urllib.request

from _server import MILLRACE, Server, check, need


def ask(server, method, path, body=None):
    """Status and JSON."""
    request = urllib.request.Request(f"http://{server.ports['http']}{path}", method=method,
                                     data=None if body is None else json.dumps(body).encode())
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def rule(sql, topic):
    return {"sql": sql, "actions": [{"kafka": {"topic": topic, "key": "${id}"}}], "awsIotSqlVersion": "2016-03-23"}


def over_http(server):
    check(ask(server, "POST", "/rules/hot", rule("SELECT * FROM 'm/+' WHERE t > 50", "hot"))[0] == 200, "create")
    status, answer = ask(server, "POST", "/rules/hot", rule("SELECT * FROM 'm/+'", "hot"))
    check(status == 409, f"created twice: {status} {answer}")
    status, answer = ask(server, "POST", "/rules/bad", rule("SELECT ,a FROM 'm'", "bad"))
    check(status == 400 and "line 1, column 8" in answer["message"], f"refused with its place: {status} {answer}")
    server.publish(['{"id":"a","t":60}', '{"id":"b","t":40}'], topic="m/1")
    check(sorted(server.consume("hot", "%k\n")) == ["a"], "the rule is in force")
    check(ask(server, "PATCH", "/rules/hot", rule("SELECT * FROM 'm/+' WHERE t > 30", "hot"))[0] == 200, "replace")
    server.publish(['{"id":"c","t":40}'], topic="m/1")
    check(sorted(server.consume("hot", "%k\n")) == ["a", "c"], "the new rule is in force")
    check(ask(server, "POST", "/rules/hot/disable")[0] == 200, "disable")
    server.publish(['{"id":"d","t":70}'], topic="m/1")
    check(sorted(server.consume("hot", "%k\n")) == ["a", "c"], "a disabled rule rests")
    check(ask(server, "POST", "/rules/hot/enable")[0] == 200, "enable")
    case = {"sql": "SELECT a FROM 't' WHERE b = 1", "topic": "t", "payload": {"b": 2}}
    status, answer = ask(server, "POST", "/rules/test", case)
    check(status == 200 and answer["trace"][1]["value"] is False, f"tried: {answer}")


def after_a_crash(server):
    status, answer = ask(server, "GET", "/rules/hot")
    check(status == 200 and answer["rule"]["version"] == 4 and "t > 30" in answer["rule"]["sql"], f"kept: {answer}")
    check(len(ask(server, "GET", "/rules/hot/versions")[1]["versions"]) == 4, "versions are kept")
    check([one["ruleName"] for one in ask(server, "GET", "/rules")[1]["rules"]] == ["hot"], "listed")
    server.publish(['{"id":"e","t":70}'], topic="m/1")
    check(sorted(server.consume("hot", "%k\n")) == ["a", "c", "e"], "in force after the crash")
    check(ask(server, "DELETE", "/rules/hot")[0] == 200, "delete")
    check(ask(server, "GET", "/rules/hot")[0] == 404, "gone")


def on_the_command_line():
    lines = [{"sql": "SELECT a FROM 't'", "topic": "t", "payload": {"a": 1}}, {"sql": "SELEC", "topic": "t"},
             {"sql": "FOREACH x FROM 't'", "topic": "t", "payload": {"x": [1, 2]}}]
    done = subprocess.run([MILLRACE, "rules", "test", "--batch", "-"], input="\n".join(map(json.dumps, lines)), text=True,
                          stdout=subprocess.PIPE, check=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    check(answers[0] == {"matched": True, "output": {"a": 1}}, f"{answers[0]}")
    check(answers[1]["error"] == {"message": "found 'SELEC', expected SELECT", "line": 1, "column": 1}, f"{answers[1]}")
    check(answers[2] == {"matched": True, "output": None, "records": [1, 2]}, f"{answers[2]}")


def main():
    need("mosquitto_pub", "kcat")
    on_the_command_line()
    server = Server(config="{}\n").start()
    try:
        over_http(server)
        server.kill()
        server.start()
        after_a_crash(server)
    finally:
        server.abandon()


main()
