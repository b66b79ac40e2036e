"""confluent-kafka and kafka-python over SASL_PLAINTEXT, SASL_SSL, SSL and mutual TLS, and kafka-configs changing users."""
# timeout: 900
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scenarios"))
from _certificates import Authority  # noqa: E402
from _kafka_jars import kafka_jars  # noqa: E402
from _python_clients import environment  # noqa: E402
from _server import MILLRACE, Server, check, need, scratch  # noqa: E402

MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


def tool(jars, name, server, settings, *arguments):
    java = ["java", "-cp", f"{jars}/*", name, "--bootstrap-server", server.ports["kafka_tls"], "--command-config", settings]
    return subprocess.run([*map(str, java), *arguments], capture_output=True, text=True, timeout=120)


def main():
    need("openssl", "java", "mvn")
    folder = scratch()
    authority = Authority(folder / "certificates")
    certificate, key = authority.server()
    authority.issue("reporter")
    users = folder / "users"
    made = subprocess.run([MILLRACE, "users", "hash", "admin"], input="secret", capture_output=True, text=True, check=True)
    users.write_text(made.stdout)
    config = "".join(f"{k}: {v}\n" for k, v in {
        "tls.certificate.file": certificate, "tls.key.file": key, "tls.client.ca.file": authority.certificate,
        "kafka.tls.port": 0, "kafka.sasl.mechanisms": f"[{', '.join(MECHANISMS)}]", "super.users": "[admin]",
        "auth.password.file": users, "num.partitions": 1, "auto.create.topics.enable": "true"}.items())
    python = environment()

    def clients(server, *cases):
        for case in cases:
            done = subprocess.run([python, "-B", Path(__file__).with_name("_kafka_security_client.py"), *map(str, case)],
                                  capture_output=True, text=True, timeout=120, env={**os.environ, "PYTHONWARNINGS": "ignore"})
            print(done.stdout, end="")
            check(done.returncode == 0, f"{case}: {done.stderr[-3000:]}")

    for certificates, sasl in (("none", "[]"), ("required", "[]"), ("none", f"[{', '.join(MECHANISMS)}]")):
        more = f"kafka.tls.client.certificates: {certificates}\nkafka.tls.sasl.mechanisms: {sasl}\n"
        server = Server(config + more, data=folder / f"data-{certificates}-{len(sasl)}").start()
        try:
            for library in ("confluent_kafka", "kafka_python"):
                if sasl == "[]":
                    clients(server, (library, server.ports["kafka_tls"], "SSL", folder / "certificates",
                                     "reporter" if certificates == "required" else "-", "-"))
                    continue
                for mechanism in MECHANISMS:
                    clients(server, (library, server.ports["kafka_tls"], "SASL_SSL", folder / "certificates", "-", mechanism),
                            (library, server.ports["kafka"], "SASL_PLAINTEXT", folder / "certificates", "-", mechanism))
            if sasl != "[]":
                kafka_configs(server, folder, authority)
            check(server.stop() == 0, "a clean stop")
        finally:
            server.abandon()


def kafka_configs(server, folder, authority):
    jars = kafka_jars("kafka_2.13")
    settings = folder / "admin.properties"

    def log_in_as(name, password):
        settings.write_text(
            f"security.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-512\nssl.truststore.type=PEM\n"
            f"ssl.truststore.location={authority.certificate}\n"
            "sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required "
            f'username="{name}" password="{password}";\n')

    def configs(*arguments):
        return tool(jars, "kafka.admin.ConfigCommand", server, settings, "--entity-type", "users", *arguments)

    log_in_as("admin", "secret")
    done = configs("--alter", "--entity-name", "ann", "--add-config", "SCRAM-SHA-512=[iterations=8192,password=pw]")
    check("Completed updating" in done.stdout, f"kafka-configs adds a user: {done}")
    done = configs("--describe", "--entity-name", "ann")
    check("SCRAM-SHA-512=iterations=8192" in done.stdout, f"kafka-configs describes a user: {done}")
    log_in_as("ann", "pw")
    done = configs("--alter", "--entity-name", "bob", "--add-config", "SCRAM-SHA-512=[iterations=8192,password=pw]")
    check("super.users" in done.stdout + done.stderr, f"the new user is let in and may not make others: {done}")
    log_in_as("admin", "secret")
    done = configs("--alter", "--entity-name", "ann", "--delete-config", "SCRAM-SHA-512")
    check("Completed updating" in done.stdout, f"kafka-configs removes a user: {done}")
    print("kafka-configs: users added and removed")


main()
