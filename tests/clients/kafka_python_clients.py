"""confluent-kafka (a current librdkafka) and kafka-python from PyPI: produce and fetch, every compression, idempotent, admin."""
# timeout: 600
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scenarios"))
from _python_clients import environment  # noqa: E402
from _server import check, serving  # noqa: E402


def main():
    python = environment()
    with serving(options=("--set", "num.partitions=3", "--set", "auto.create.topics.enable=true")) as server:
        for client in ("confluent_kafka", "kafka_python"):
            script = Path(__file__).with_name(f"_{client}_client.py")
            done = subprocess.run([python, "-B", script, server.ports["kafka"]], capture_output=True, text=True, timeout=240,
                                  env={**os.environ, "PYTHONWARNINGS": "ignore"})
            print(done.stdout, end="")
            check(done.returncode == 0, f"{client}: {done.stderr[-3000:]}")


main()
