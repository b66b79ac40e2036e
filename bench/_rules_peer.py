"""Other rule engines on the messages that rules_bench wrote down: one thread, on the same core. aws/event-ruler comes from Maven
Central. Quamina is not to be had from the Go module proxy; whoever has it names a program in MILLRACE_PEER_QUAMINA that is called
as rules_peer/src/main/java/RulesPeer.java is, and prints the same lines."""
import os
import shutil
import subprocess

SIZES = ("1000", "10000", "100000")
# The peer, and the benchmark whose rules it has.
PEERS = {"event-ruler": "BM_ManyRules", "quamina": "BM_ManyEqualities"}


def build_event_ruler(peer, folder):
    if shutil.which("mvn") is None:
        return "Maven is not installed (./dev setup full)"
    done = subprocess.run(["mvn", "-q", "-B", "-f", peer, f"-DbuildDirectory={folder}", "compile", "dependency:build-classpath",
                           f"-Dmdep.outputFile={folder}/classpath"], capture_output=True, text=True)
    return done.returncode and "Maven could not get or build it: " + done.stdout.strip()[-300:]


def build(root, folder):
    """What could not be built is told, and left out of the measurement."""
    folder.mkdir(parents=True, exist_ok=True)
    problem = build_event_ruler(root / "bench/rules_peer", folder)
    (folder / "event-ruler.note").write_text(f"Not measured: {problem}." if problem else "", encoding="utf-8")
    print(f"event-ruler: {problem or 'built'}")
    return int(bool(problem))


def commands(folder):
    classpath = folder / "classpath"
    classes = f"{folder}/classes:" + (classpath.read_text(encoding="utf-8").strip() if classpath.exists() else "")
    return {"event-ruler": ["java", "-Xmx6g", "-cp", classes, "RulesPeer", folder, *SIZES],
            "quamina": [os.environ.get("MILLRACE_PEER_QUAMINA", ""), folder, *SIZES]}


def measure(folder, core):
    """{peer: {"name", "rows": {rules: (messages a second, bytes a rule, matched)}, "note"}}"""
    found = {}
    for name, command in commands(folder).items():
        note = folder / f"{name}.note"
        problem = note.read_text(encoding="utf-8") if note.exists() else "Not measured: not built."
        if name == "quamina":
            problem = "" if command[0] else "Not measured: it is not to be had from the Go module proxy (bench/README.md)."
        row = found[name] = {"name": name, "rows": {}, "note": problem}
        if problem:
            continue
        done = subprocess.run(["taskset", "-c", str(core), *map(str, command)], capture_output=True, text=True,
                              env={**os.environ, "GOMAXPROCS": "1"})
        for line in done.stdout.splitlines():
            words = line.split()
            if words[0] == "name":
                row["name"] = " ".join(words[1:])
            else:
                row["rows"][int(words[0])] = (float(words[1]), int(words[2]), int(words[3]))
        if done.returncode != 0:
            row["note"] = "Not measured: " + done.stderr.strip()[-300:]
    return found
