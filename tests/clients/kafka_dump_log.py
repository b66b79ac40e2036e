"""Apache Kafka's own DumpLogSegments reads every segment, index and snapshot that the real program wrote, after a kill and
after a clean stop, without a complaint."""
# timeout: 900
import os
import subprocess

from _kafka_jars import kafka_jars
from _server import SOURCE, Server, check, need


def main():
    need("java", "mvn", "mosquitto_pub")
    libs = kafka_jars()
    server = Server()
    try:
        for life in range(2):
            server.start()
            for device in range(9):
                server.publish([f'{{"type":"log","device_no":"T-{device}","n":{n}}}' for n in range(500)], client=f"t{device}")
            if life == 0:
                server.kill()
        check(server.stop() == 0, "clean stop")
    finally:
        server.abandon()
    command, classpath = [str(SOURCE / "tests" / "kafka_dump_log"), str(server.data)], {"KAFKA_CLASSPATH": f"{libs}/*"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env={**os.environ, **classpath}, check=False)
    check(done.returncode == 0, f"kafka_dump_log ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-2000:]}")
    check("segments: " in done.stdout and "segments: none" not in done.stdout, f"segments were read:\n{done.stdout[-2000:]}")
    print(done.stdout.strip())


main()
