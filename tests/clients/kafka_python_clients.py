"""confluent-kafka (a current librdkafka) and kafka-python from PyPI: produce and fetch, every compression, idempotent, admin."""
# timeout: 600
import os
import subprocess
import sys
import venv
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scenarios"))
from _server import SOURCE, check, serving, skip  # noqa: E402

PACKAGES = ["confluent-kafka==2.16.1", "kafka-python==3.0.12", "lz4==4.4.5", "python-snappy==0.7.3", "zstandard==0.25.0"]


def environment():
    """A virtual environment with the clients, kept between runs."""
    folder = SOURCE / "build" / "clients-python"
    python, stamp = folder / "bin" / "python", folder / "packages"
    if not stamp.exists() or stamp.read_text() != " ".join(PACKAGES):
        venv.create(folder, with_pip=True, clear=True)
        done = subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES],
                              capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            skip(f"pip could not install the clients: {done.stderr.strip().splitlines()[-1:]}")
        stamp.write_text(" ".join(PACKAGES))
    return python


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
