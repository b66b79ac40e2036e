"""kafka-acls and kafka-configs of Apache Kafka 4 with authorisation on: ACLs made, listed and removed, what they allow asked with
the console tools, users and quotas described and altered; the ACLs hold after kill -9."""
# timeout: 900
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scenarios"))
from _kafka_jars import kafka_jars, run, tool  # noqa: E402
from _server import MILLRACE, Server, check, need, scratch  # noqa: E402

CONFIGS = "kafka.admin.ConfigCommand"


def settings(name, password="secret"):
    path = scratch() / f"{name}.properties"
    path.write_text("security.protocol=SASL_PLAINTEXT\nsasl.mechanism=SCRAM-SHA-256\n"
                    "request.timeout.ms=15000\ndefault.api.timeout.ms=20000\n"
                    "sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required "
                    f'username="{name}" password="{password}";\n')
    return str(path)


class Tools:
    def __init__(self, libs, server):
        self.libs, self.at = libs, ("--bootstrap-server", server.ports["kafka"], "--command-config", settings("admin"))

    def acls(self, *words):
        return run(self.libs, "AclCommand", *self.at, *words)

    def configs(self, *words):
        return run(self.libs, CONFIGS, *self.at, *words)

    def produce(self, user, topic="log"):
        status, out, err = tool(self.libs, "ConsoleProducer", *self.at[:2], "--topic", topic, "--command-config", settings(user),
                                data="one\ntwo\n")
        return out + err

    def consume(self, user, group, topic="log"):
        return "".join(map(str, tool(self.libs, "consumer.ConsoleConsumer", *self.at[:2], "--topic", topic, "--group", group,
                                     "--from-beginning", "--max-messages", "2", "--timeout-ms", "15000", "--command-config",
                                     settings(user))[1:]))


def users_and_quotas(tools):
    tools.configs("--alter", "--entity-type", "users", "--entity-name", "ann", "--add-config", "SCRAM-SHA-256=[password=secret]")
    described = tools.configs("--describe", "--entity-type", "users", "--entity-name", "ann")
    check("SCRAM credential configs for user-principal 'ann' are SCRAM-SHA-256=iterations=4096" in described, described)
    everybody = tools.configs("--describe", "--entity-type", "users")
    check("'ann'" in everybody and "'admin'" in everybody, everybody)
    check(tools.configs("--describe", "--entity-type", "clients").strip() == "", "no quotas")
    told = "".join(map(str, tool(tools.libs, CONFIGS, *tools.at, "--alter", "--entity-type", "clients", "--entity-name", "c",
                                 "--add-config", "producer_byte_rate=1024")))
    check("millrace has no quotas" in told, told)
    print("users described, a quota refused with the reason")


def permissions(tools):
    told = tools.produce("ann")
    check("authoriz" in told.lower(), f"ann may not write yet: {told}")
    tools.acls("--add", "--allow-principal", "User:ann", "--producer", "--topic", "log")
    told = tools.produce("ann")
    check("ERROR" not in told and "Exception" not in told, f"ann may write: {told}")
    told = tools.consume("ann", "g1")
    check("uthoriz" in told, f"ann may not read: {told}")
    tools.acls("--add", "--allow-principal", "User:ann", "--operation", "Read", "--topic", "lo", "--group", "g",
               "--resource-pattern-type", "prefixed")
    told = tools.consume("ann", "g1")
    check("one" in told and "two" in told, f"ann reads: {told}")
    check("GroupAuthorizationException" in tools.consume("ann", "other"), "not with another group")
    listed = tools.acls("--list", "--topic", "log", "--resource-pattern-type", "match")
    for part in ("patternType=PREFIXED", "principal=User:ann", "operation=READ", "operation=WRITE"):
        check(part in listed, listed)
    tools.acls("--add", "--deny-principal", "User:ann", "--operation", "Write", "--topic", "log")
    check("uthoriz" in tools.produce("ann"), "a denial wins")
    print("produce and consume as ACLs say")


def main():
    need("java", "mvn")
    libs = kafka_jars("kafka_2.13")
    users = scratch() / "users"
    made = subprocess.run([MILLRACE, "users", "hash", "admin"], input="secret", capture_output=True, text=True, check=True)
    users.write_text(made.stdout)
    file = scratch() / "permissions"
    file.write_text("allow user:carl kafka:read topic:*\n")
    server = Server(f"kafka.sasl.mechanisms: [SCRAM-SHA-256]\nauth.password.file: {users}\nauth.permissions.file: {file}\n"
                    "super.users: [admin]\nkafka.authorization: acls\ntopics:\n- {name: log, partitions: 1}\n").start()
    try:
        tools = Tools(libs, server)
        users_and_quotas(tools)
        permissions(tools)
        server.kill()
        server.start()
        tools = Tools(libs, server)
        listed = tools.acls("--list")
        check("User:carl" in listed and listed.count("User:ann") >= 5, f"after kill -9: {listed}")
        told = "".join(map(str, tool(libs, "AclCommand", *tools.at, "--remove", "--force", "--topic", "*")))
        check("is in the permissions file" in told, f"an ACL of the file stays: {told}")
        for topic, pattern in (("log", "literal"), ("lo", "prefixed")):
            tools.acls("--remove", "--force", "--topic", topic, "--resource-pattern-type", pattern)
        check("uthoriz" in tools.consume("ann", "g2"), "taken away again")
        status, body = server.http("/api/v1/acls")
        check(status == 200 and "allow user:ann kafka:read group:g*" in body and "topic:log" not in body, body)
        check(server.stop() == 0, "clean stop")
    finally:
        server.abandon()


main()
