"""Consumer groups with confluent-kafka and kafka-python: two members with a rebalance between them, eager and cooperative-sticky;
static membership through a restart of the member; kill -9 of the server in between and on from what was committed."""
# timeout: 900
import json
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scenarios"))
from _python_clients import environment  # noqa: E402
from _server import DEADLINE_S, Server, check, need, scratch, wait_until  # noqa: E402

PARTITIONS, RECORDS = 4, 200


class Member:
    def __init__(self, python, client, server, group, name, instance=None, cooperative=False):
        self.out, self.err = scratch() / f"{client}-{group}-{name}.json", scratch() / f"{client}-{group}-{name}.err"
        self.out.touch()
        script = Path(__file__).with_name("_group_member.py")
        command = [python, "-B", script, client, server.ports["kafka"], group, self.out, "--name", name,
                   *(["--instance", instance] if instance else []), *(["--cooperative"] if cooperative else [])]
        self.process = subprocess.Popen(command, stderr=open(self.err, "ab"), env={**os.environ, "PYTHONWARNINGS": "ignore"})

    def events(self, kind):
        return [e[kind] for e in map(json.loads, self.out.read_text().splitlines()) if kind in e]

    def values(self):
        return [record[2] for record in self.events("record")]

    def partitions(self):
        owned = set()
        for event in map(json.loads, self.out.read_text().splitlines()):
            owned |= set(event.get("assigned", ()))
            owned -= set(event.get("revoked", ()))
        return owned

    def stop(self, kill=False):
        (self.process.kill if kill else self.process.terminate)()
        self.process.wait(timeout=DEADLINE_S)


def produce(server, first):
    lines = "".join(f"{i % 29}:{i}\n" for i in range(first, first + RECORDS))
    command = ["kcat", "-b", server.ports["kafka"], "-P", "-t", "groups", "-K", ":"]
    done = subprocess.run(command, input=lines, text=True, timeout=60)
    check(done.returncode == 0, "kcat produces")


def all_read(members, end):
    return {value for member in members for value in member.values()} == {str(i) for i in range(end)}


def two_members(python, client, server, cooperative):
    """Two members, a rebalance, a crash of the server, and each half goes on."""
    group = "cooperative" if cooperative else "eager"
    produced = RECORDS
    one = Member(python, client, server, group, "one", cooperative=cooperative)
    members = [one]
    try:
        wait_until(lambda: all_read(members, produced), f"{client} {group}: one member reads everything")
        two = Member(python, client, server, group, "two", cooperative=cooperative)
        members.append(two)
        shared = {frozenset(range(PARTITIONS))}
        wait_until(lambda: len(one.partitions()) == 2 and len(two.partitions()) == 2 and
                   {frozenset(one.partitions() | two.partitions())} == shared,
                   f"{client} {group}: two members share the partitions")
        if cooperative:
            check(all(len(set(r)) <= 2 for r in one.events("revoked")), "a cooperative member gives up only what it loses")
        produce(server, produced)
        produced += RECORDS
        wait_until(lambda: all_read(members, produced), f"{client} {group}: both read what is new")
        server.kill()
        server.start()
        produce(server, produced)
        produced += RECORDS
        wait_until(lambda: all_read(members, produced), f"{client} {group}: both go on after kill -9 of the server", 60)
        twice = len(sum((member.values() for member in members), [])) - produced
        one.stop()
        wait_until(lambda: len(two.partitions()) == PARTITIONS, f"{client} {group}: the one that stays has everything")
        for member in members[1:]:
            member.stop()
        return produced, twice
    finally:
        for member in members:
            if member.process.poll() is None:
                member.stop(kill=True)


def static_member(python, client, server):
    """A static member dies and comes back within its session: it gets its partitions without a rebalance of the other."""
    one = Member(python, client, server, "static", "one", instance="one")
    two = Member(python, client, server, "static", "two", instance="two")
    members = [one, two]
    try:
        wait_until(lambda: len(one.partitions()) == 2 and len(two.partitions()) == 2, f"{client}: static members share")
        before, events = two.partitions(), len(one.events("assigned"))
        two.stop(kill=True)
        again = Member(python, client, server, "static", "two-again", instance="two")
        members.append(again)
        wait_until(lambda: again.partitions() == before, f"{client}: the static member has its partitions again")
        check(len(one.events("assigned")) == events, f"{client}: the other one noticed nothing")
        for member in (one, again):
            member.stop()
    finally:
        for member in members:
            if member.process.poll() is None:
                member.stop(kill=True)


def main():
    need("kcat")
    python = environment()
    options = ("--set", f"num.partitions={PARTITIONS}", "--set", "auto.create.topics.enable=true")
    for client in ("confluent_kafka", "kafka_python"):
        for cooperative in (False, True):
            server = Server(name=f"{client}-{cooperative}", data=scratch() / f"data-{client}-{cooperative}", options=options)
            try:
                server.start()
                # The same port after the crash, or the members would not find it again.
                server.options += ["--set", f"kafka.port={server.port('kafka')}"]
                produce(server, 0)
                records, twice = two_members(python, client, server, cooperative)
                print(f"{client} {'cooperative-sticky' if cooperative else 'range'}: {records} records, {twice} read twice")
                if not cooperative:
                    static_member(python, client, server)
                    print(f"{client}: static member came back without a rebalance")
            finally:
                server.abandon()


main()
