"""`millrace rules`: a rule made, replaced, switched, listed and removed on the command line; and run over what is stored, beside
a second version of it. RULES_VERB_RECORDS sets how many records are looked at (20000)."""
import json
import os
import subprocess

from _server import MILLRACE, check, need, scratch, serving

RECORDS = int(os.environ.get("RULES_VERB_RECORDS", "20000"))


def main():
    need("mosquitto_pub")
    with serving(config="topics:\n  - {name: stored, partitions: 3}\n") as server:
        def rules(*words, status=0, stdin=None):
            done = subprocess.run([MILLRACE, "rules", *words, "--url", "http://" + server.ports["http"]], capture_output=True,
                                  text=True, timeout=300, input=stdin)
            check(done.returncode == status, f"rules {' '.join(words)} ended with {done.returncode}: {done.stdout}{done.stderr}")
            return done.stdout + done.stderr

        def rule(where, topic="stored"):
            return json.dumps({"sql": f"SELECT id, t FROM 'm/+' WHERE {where}",
                               "actions": [{"kafka": {"topic": topic, "key": "${id}"}}]})

        file = scratch() / "hot.json"
        file.write_text(rule("t >= 0"), encoding="utf-8")
        check(rules("create", "hot", str(file)) == "created hot\n", "create")
        check("hot" in rules("create", "hot", str(file), status=1), "twice")
        check("line 1, column 8" in rules("create", "bad", "-", status=1, stdin='{"sql": "SELECT ,", "actions": []}'), "refused")
        check(rules("list").split() == ["hot", "on", "m/+"], "list")
        check(rules("list", "--filter", "other") == "", "list of another filter")

        # mosquitto_pub leaves at the first acknowledgement of its last packet id, which comes again after 65,535.
        for begin in range(0, RECORDS, 50_000):
            numbers = range(begin, min(begin + 50_000, RECORDS))
            server.publish([json.dumps({"id": n % 100, "t": n % 100}) for n in numbers], topic="m/1")
        check(rules("replace", "hot", "-", stdin=rule("t >= 40", "out")) == "replaced hot\n", "replace")
        check(rules("disable", "hot") == "disabled hot\n", "disable")
        check(rules("list").split() == ["hot", "off", "m/+"], "off")
        check(len(json.loads(rules("versions", "hot"))["versions"]) == 3, "versions")
        check(json.loads(rules("get", "hot"))["rule"]["version"] == 3, "get")

        report = json.loads(rules("dry-run", "hot", "--topic", "stored", "--against", "1", "--json"))
        check(report["messages"] == RECORDS and not report["limited"], f"{report}")
        check(report["first"]["matched"] == RECORDS * 60 // 100 and report["second"]["matched"] == RECORDS, f"{report}")
        check(report["diff"]["onlySecond"] == RECORDS * 40 // 100 and report["diff"]["same"] == 0, f"{report['diff']}")
        check(len(report["samples"]) == 10 and report["samples"][0]["kind"] == "changed", "samples")
        other = scratch() / "other.json"
        other.write_text(rule("t >= 40", "out"), encoding="utf-8")
        page = rules("dry-run", "hot", "--topic", "stored", "--against", str(other), "--from", "2020-01-01T00:00:00Z")
        check(f"diff     same {RECORDS}, changed 0" in page, page)
        check("0 messages" in rules("dry-run", "hot", "--topic", "stored", "--to", "1000000000000"), "before all")
        check("topic" in rules("dry-run", "hot", "--topic", "nowhere", status=1), "no such topic")
        check("has no version 9" in rules("dry-run", "hot", "--topic", "stored", "--against", "9", status=1), "no such version")
        print(page.splitlines()[0])

        check(rules("enable", "hot") == "enabled hot\n", "enable")
        check(rules("delete", "hot") == "deleted hot\n", "delete")
        check("hot" in rules("get", "hot", status=1), "gone")
        rules("burn", status=64)
    done = subprocess.run([MILLRACE, "rules", "list", "--url", "http://127.0.0.1:1"], capture_output=True, text=True, timeout=60)
    check(done.returncode == 1, f"nobody there: {done.stderr}")


main()
