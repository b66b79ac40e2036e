"""`millrace acls`: ACLs for Kafka added, listed and deleted on a running server, the same after kill -9, and what is told when
there is no authorisation; `check` and `test` of a file with rules of both kinds."""
import subprocess

from _server import MILLRACE, Server, check, scratch, serving

ANN = ["allow user:ann kafka:read group:dash-*", "allow user:ann kafka:read topic:message-log"]
FILE = "deny user:bob kafka:all topic:*"


def acls(*words, server=None, status=0):
    at = ["--kafka", server.ports["kafka"]] if server else []
    done = subprocess.run([MILLRACE, "acls", *map(str, words), *at], capture_output=True, text=True, timeout=60)
    check(done.returncode == status, f"acls {' '.join(map(str, words))} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def main():
    file = scratch() / "permissions"
    file.write_text(f"allow * publish a/#\n{FILE}\n{ANN[1]}\n")
    check(acls("check", file) == f"allow * publish a/#\n{FILE}\n{ANN[1]}\n", "both kinds of rules are understood")
    check(acls("test", file, "kafka:describe", "topic:message-log", "--user", "ann") == "allowed\n", "read includes describe")
    check(acls("test", file, "kafka:write", "topic:message-log", "--user", "ann", status=1) == "denied\n", "not write")
    with serving() as server:
        told = acls("list", server=server, status=1)
        check("set kafka.authorization to acls" in told, f"without authorisation: {told}")
    file.write_text(FILE + "\n")
    config = f"kafka.authorization: acls\nsuper.users: [ANONYMOUS]\nauth.permissions.file: {file}\n"
    server = Server(config, data=scratch() / "acls").start()
    try:
        check(acls("list", server=server) == FILE + "\n", "the file's")
        acls("add", *ANN, server=server)
        acls("add", ANN[0], server=server)
        check(sorted(acls("list", server=server).splitlines()) == sorted([FILE, *ANN]), "each of them once")
        told = acls("add", "allow user:ann kafka:eat topic:x", server=server, status=1)
        check("an operation is" in told, f"what is wrong is said: {told}")
        check("there is no such ACL" in acls("delete", ANN[0].replace("ann", "eve"), server=server, status=1), "none of eve")
        check("in the permissions file" in acls("delete", FILE, server=server, status=1), "the file's stays")
        server.kill()
        server.start()
        check(sorted(acls("list", server=server).splitlines()) == sorted([FILE, *ANN]), "the same after kill -9")
        acls("delete", ANN[0], server=server)
        check(sorted(acls("list", server=server).splitlines()) == sorted([FILE, ANN[1]]), "one is gone")
        check(server.stop() == 0, "clean stop")
    finally:
        server.abandon()


main()
