"""The Java client that AKHQ uses for Kafka Connect (org.sourcelab kafka-connect-client 4.0.4, from Maven Central): each
of its calls."""

# timeout: 300
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scenarios"))
from _kafka_jars import maven_jars  # noqa: E402
from _server import check, need, scratch, serving  # noqa: E402


def main():
    need("java", "mvn")
    libs = maven_jars("clients-akhq", [("org.sourcelab", "kafka-connect-client", "4.0.4")])
    with serving(config="topics:\n  - {name: lines, partitions: 2}\n") as server:
        done = subprocess.run(
            [
                "java",
                "-cp",
                f"{libs}/*",
                str(Path(__file__).resolve().parent / "ConnectClient.java"),
                f"http://{server.ports['connect']}",
                "lines",
                str(scratch() / "out"),
            ],
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        check(done.returncode == 0, done.stdout + done.stderr)
        print(done.stdout)


main()
