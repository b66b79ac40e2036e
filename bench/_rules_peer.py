"""aws/event-ruler on the messages that rules_bench wrote down: one thread, on the same core. Its jar comes from Maven Central."""
import shutil
import subprocess

SIZES = ("1000", "10000", "100000")


def measure(root, folder, core):
    """({rules: (messages a second, bytes a rule, matched)}, what to say about it)."""
    if shutil.which("mvn") is None:
        return {}, "aws/event-ruler was not measured: Maven is not installed (`./dev setup full`)."
    peer = root / "bench/rules_peer"
    built = subprocess.run(["mvn", "-q", "-f", peer, f"-DbuildDirectory={folder}", "compile", "dependency:build-classpath",
                            f"-Dmdep.outputFile={folder}/classpath"], capture_output=True, text=True)
    if built.returncode != 0:
        return {}, "aws/event-ruler was not measured: Maven could not get or build it: " + built.stdout.strip()[-200:]
    classes = f"{folder}/classes:" + (folder / "classpath").read_text(encoding="utf-8").strip()
    done = subprocess.run(["taskset", "-c", str(core), "java", "-Xmx4g", "-cp", classes, "RulesPeer", folder, *SIZES],
                          capture_output=True, text=True)
    if done.returncode != 0:
        return {}, "aws/event-ruler was not measured: " + done.stderr.strip()[-200:]
    rows = {}
    for line in done.stdout.splitlines():
        rules, rate, size, matched = line.split()
        rows[int(rules)] = (float(rate), int(size), int(matched))
    return rows, ""
