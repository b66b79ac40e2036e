"""`millrace mqtt` against a running server: lists, publish, request with a device that answers, disconnect, trace; lifecycle
events as a rule's source, Basic Ingest, and the UNIX socket."""
import json
import subprocess
import time

from _server import CONFIG, MILLRACE, Server, check, need, scratch

RULES = """
rules:
  presence:
    sql: "SELECT clientId, eventType FROM '$aws/events/presence/#'"
    actions: [{kafka: {topic: presence, key: "${clientId}"}}]
  ingest:
    sql: "SELECT topic() AS t, x FROM 'nothing/else'"
    actions: [{kafka: {topic: ingested}}]
"""


def mqtt(server, *words, stdin="", status=0):
    done = subprocess.run([MILLRACE, "mqtt", *words, "--url", f"http://{server.ports['http']}"], input=stdin, capture_output=True,
                          text=True, timeout=60)
    check(done.returncode == status, f"millrace mqtt {' '.join(words)}: {done.returncode} {done.stdout} {done.stderr}")
    return done.stdout if status == 0 else done.stderr


def wait(what, ask):
    deadline = time.monotonic() + 20
    while not ask():
        check(time.monotonic() < deadline, what)
        time.sleep(0.05)


def device(server, name, *options):
    return subprocess.Popen(["mosquitto_sub", "-V", "5", "-p", server.port("mqtt"), "-i", name, *options], stdout=subprocess.PIPE,
                            text=True)


def main():
    need("mosquitto_pub", "mosquitto_sub", "mosquitto_rr", "kcat")
    path = scratch() / "mqtt.sock"
    config = "auto.create.topics.enable: true\n" + RULES
    server = Server(config=config, name="operations", options=["--set", f"mqtt.unix.path={path}"])
    clients = []
    try:
        server.start()
        truck = device(server, "truck-7", "-q", "1", "-t", "commands/truck-7", "-F", "%R|%D|%p", "-C", "1", "-c",
                       "-x", "3600")
        clients.append(truck)
        wait("truck-7 is listed", lambda: "truck-7 " in mqtt(server, "clients"))
        check("commands/truck-7 qos=1" in mqtt(server, "subscriptions"), "its subscription")
        session = json.loads(mqtt(server, "session", "truck-7"))
        check(session["persistent"] and session["protocol"] == "5.0", f"its session: {session}")

        # The command channel: the device answers on the topic it is told.
        asking = subprocess.Popen([MILLRACE, "mqtt", "request", "commands/truck-7", "--payload", "lock", "--timeout", "20000",
                                   "--url", f"http://{server.ports['http']}"], stdout=subprocess.PIPE, text=True)
        topic, _, payload = truck.stdout.readline().strip().split("|")
        check(payload == "lock" and topic.startswith("millrace/response/"), f"asked on {topic}: {payload}")
        server.publish(["locked"], topic=topic, client="truck-7-answers")
        check(asking.communicate(timeout=30)[0] == "locked\n", "the answer")
        said = mqtt(server, "request", "commands/nobody", "--payload", "x", "--timeout", "200", status=1)
        check("no answer came in time" in said, "a request that nobody answers")
        truck.wait(timeout=20)

        # Away, it is a session that waits; publish is answered when the message is durable.
        mqtt(server, "publish", "commands/truck-7", "--payload", "later")
        wait("it waits", lambda: json.loads(mqtt(server, "session", "truck-7"))["backlog"] == 1)
        server.kill()
        server.start()
        check(json.loads(mqtt(server, "session", "truck-7"))["backlog"] == 1, "it waits after a kill -9")
        mqtt(server, "disconnect", "truck-7", "--session")
        check("no such client" in mqtt(server, "session", "truck-7", status=1), "its session is ended")
        check("not a topic name" in mqtt(server, "publish", "a/#", "--payload", "x", status=1), "no topic name")

        # Somebody connected is disconnected; a trace tells of packets; both over the UNIX socket.
        mqtt(server, "trace", "client", "local")
        subprocess.run(["mosquitto_pub", "--unix", str(path), "-i", "local", "-t", "$aws/rules/ingest/a/b", "-q", "1", "-m",
                        '{"x":5}'], check=True, timeout=30)
        wait("the trace", lambda: "mqtt_trace client_id=local" in server.log.read_text())
        other = device(server, "other", "-t", "t")
        clients.append(other)
        wait("other is listed", lambda: "other " in mqtt(server, "clients"))
        mqtt(server, "disconnect", "other")
        wait("other is gone", lambda: server.metric("millrace_mqtt_connections_closed_total") > 0 or other.poll() is not None)

        check(server.consume("ingested", "%s\n") == ['{"t":"a/b","x":5}'], "Basic Ingest")
        wait("presence", lambda: '{"clientId":"local","eventType":"disconnected"}' in server.consume("presence", "%s\n"))
        check(server.stop() == 0, "clean stop")
        check(not path.exists(), "the UNIX socket is gone")
    finally:
        for client in clients:
            client.kill()
        server.abandon()


main()
