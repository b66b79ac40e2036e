"""`millrace topics`, `groups`, `users` and `acls` against listeners that ask who connects: SCRAM in clear, PLAIN over TLS, and
what they say when the log-in is missing, wrong or not to be had."""
import os
import subprocess

from _certificates import Authority
from _server import MILLRACE, check, scratch, serving

ADMIN, SECRET = "admin", "a=secret,with:signs"


def verb(*words, user=None, status=0, **more):
    """What the verb prints, which must end with `status`; the log-in comes through the environment."""
    environment = {**os.environ, "MILLRACE_USER": f"{ADMIN}:{SECRET}" if user is None else user}
    done = subprocess.run([MILLRACE, *map(str, words)], capture_output=True, text=True, timeout=60, env=environment, check=False,
                          **more)
    check(done.returncode == status, f"{words} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def main():
    authority = Authority(scratch() / "tls")
    certificate, key = authority.server()
    users = scratch() / "users"
    users.write_text(verb("users", "hash", ADMIN, input=SECRET + "\n"))
    common = f"auth.password.file: {users}\nsuper.users: [{ADMIN}]\nkafka.authorization: acls\n"
    tls = f"tls.certificate.file: {certificate}\ntls.key.file: {key}\nkafka.tls.port: 0\n"
    config = common + tls + "kafka.sasl.mechanisms: [SCRAM-SHA-256]\nkafka.tls.sasl.mechanisms: [PLAIN]\n"
    with serving(config=config) as server:
        clear, sealed = ["--kafka", server.ports["kafka"]], ["--kafka", server.ports["kafka_tls"], "--ca", authority.certificate]
        for at in (clear, sealed):
            name = f"by-{len(at)}"
            verb("topics", "create", name, *at)
            check(name in verb("topics", "list", *at), "topics")
            verb("groups", "list", *at)
            verb("users", "add", "ann", *at, input="another\n")
            check("ann" in verb("users", "list", *at), "users")
            verb("users", "delete", "ann", *at)
            verb("acls", "add", "allow user:ann kafka:read group:dash-*", *at)
            check("user:ann" in verb("acls", "list", *at), "acls")
        check("by-2" in verb("topics", "list", *clear, "--user", f"{ADMIN}:{SECRET}", user=""), "--user instead of the variable")
        check("--user NAME:PASSWORD" in verb("topics", "list", *clear, user="", status=1), "a log-in is asked for")
        check("--ca FILE" in verb("topics", "list", "--kafka", server.ports["kafka_tls"], user="", status=1), "and TLS")
        check("log-in failed" in verb("topics", "list", *clear, user="admin:guess", status=1), "a wrong password")
        check("log-in failed" in verb("topics", "list", *clear, user="nobody:guess", status=1), "an unknown user")
        check("NAME:PASSWORD" in verb("topics", "list", *clear, user="admin", status=1), "no password")
        check("certificate" in verb("topics", "list", *sealed[:2], "--tls", status=1), "an authority nobody knows")
        check("cannot read" in verb("topics", "list", *sealed[:2], "--ca", scratch() / "none", status=1), "no such file")
    with serving(config=common + "kafka.sasl.mechanisms: [PLAIN]\n", name="plain") as server:
        told = verb("topics", "list", "--kafka", server.ports["kafka"], status=1)
        check("shows the password" in told, f"PLAIN in clear is refused: {told}")
    with serving(name="open") as server:
        verb("topics", "list", "--kafka", server.ports["kafka"])  # the variable is for other listeners
        check("message-log" in verb("topics", "list", "--kafka", server.ports["kafka"], user=""), "no log-in")
    print("topics, groups, users, acls: logged in by SCRAM in clear and PLAIN over TLS")


main()
