"""millrace replay: the recorded bus fleet as 159 MQTT devices, as fast as it goes and paced with two kill -9 in between; the
topic then holds every record, in order per device, and twice only what was sent twice."""
import json
import subprocess

from _server import MILLRACE, SOURCE, Server, check, wait_until

RECORDING = SOURCE / "examples/bus-fleet/positions.csv"
MESSAGES, DEVICES = 2115, 159


def replay(server, *words):
    return [MILLRACE, "replay", str(RECORDING), "--to", f"mqtt://{server.ports['mqtt']}", "--quiet", "--json",
            "--verify", f"kafka={server.ports['kafka']}", *words]


def check_summary(status, output, what):
    check(status == 0, f"{what}: exit status {status}: {output}")
    summary = json.loads(output.strip().splitlines()[-1])
    for key, wanted in (("messages", MESSAGES), ("devices", DEVICES), ("acknowledged", MESSAGES), ("found", MESSAGES),
                        ("missing", 0), ("out_of_order", 0), ("unexplained", 0), ("refused", 0)):
        check(summary[key] == wanted, f"{what}: {key} is {summary[key]}, not {wanted}")
    return summary


def main():
    server = Server()
    try:
        server.start()
        done = subprocess.run(replay(server), capture_output=True, text=True, timeout=120)
        summary = check_summary(done.returncode, done.stdout + done.stderr, "as fast as it goes")
        check(summary["resent"] == 0 and summary["duplicates"] == 0, "nothing is sent twice on a quiet day")

        # The clients come back to the addresses they know.
        server.options += [word for name in ("mqtt", "kafka") for word in ("--set", f"{name}.port={server.port(name)}")]
        player = subprocess.Popen(replay(server, "--speed", "500"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(2):
            before = server.metric("millrace_mqtt_messages_received_total")
            wait_until(lambda: server.metric("millrace_mqtt_messages_received_total") > before + 300 or player.poll() is not None,
                       "300 more messages")
            check(player.poll() is None, "the replay is under way")
            server.kill()
            server.start()
        output = player.communicate(timeout=120)[0]
        summary = check_summary(player.returncode, output, "with two kills")
        check(summary["connections_lost"] > 0, "connections were lost")
        server.kill()
        without = subprocess.run(replay(server), capture_output=True, text=True, timeout=60)
        check(without.returncode == 2 and "cannot connect" in without.stderr, f"no server: {without.returncode} {without.stderr}")
    finally:
        server.abandon()


main()
