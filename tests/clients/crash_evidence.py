"""The crash scenarios and the simulator at the length docs/durability.md speaks of: 20,000 seeds of the log and of a consumer
group, 200 kill -9 and 300 power cuts under Kafka producers, 200 kill -9 under devices, under MQTT sessions and while groups
commit. About twenty minutes; the counts can be set (MILLRACE_SIM_SEEDS, MILLRACE_KILL_CYCLES, MILLRACE_POWER_CUTS)."""
# timeout: 3600
import os
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scenarios"))
from _server import SOURCE, check, scratch  # noqa: E402

COUNTS = {"MILLRACE_SIM_SEEDS": "20000", "MILLRACE_KILL_CYCLES": "200", "MILLRACE_POWER_CUTS": "300"}
SIMULATOR = SOURCE / "build" / "dev" / "src" / "sim" / "sim_test"


def steps():
    if SIMULATOR.exists():
        for test in ("LogRun", "GroupRun"):
            yield f"simulator, {test}", [SIMULATOR, f"--gtest_filter={test}.EverySeed*"]
    else:
        print(f"no simulator: {SIMULATOR} is not built (cmake --build --preset dev --target sim_test)")
    for name in ("kill_cycles", "committed_offsets", "producer_crashes", "mqtt_kill_cycles"):
        yield name, [sys.executable, "-B", SOURCE / "tests" / "scenarios" / f"{name}.py"]


def main():
    environment, failed = {**COUNTS, **os.environ}, []
    for name, words in steps():
        folder, begin = scratch() / name.replace(", ", "-"), time.monotonic()
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(list(map(str, words)), env={**environment, "SCRATCH": str(folder)}, capture_output=True, text=True)
        said = [line for line in done.stdout.splitlines() if line and not line.startswith(("[", "Note:", "Running main"))]
        print(f"-- {name}: {'ok' if done.returncode == 0 else f'status {done.returncode}'}, {time.monotonic() - begin:.0f} s",
              *said[-4:], sep="\n", flush=True)
        if done.returncode != 0:
            failed.append(f"{name}: {done.stderr[-2000:]}")
    check(not failed, "\n".join(failed))


main()
