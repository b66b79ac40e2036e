"""Consumer groups with kcat of Debian 12 (librdkafka 2.0.2): two members share a topic, one leaves and the other takes over, and
after kill -9 the group goes on where it had committed."""
import re
import subprocess
import sys
import time

from _server import DEADLINE_S, Server, check, need, scratch, wait_until

PARTITIONS, RECORDS = 4, 400


class Member:
    """kcat as a member of a group. Its records go to a file, a line each."""

    def __init__(self, server, name, group="readers", *options):
        self.out, self.err = scratch() / f"{name}.out", scratch() / f"{name}.err"
        settings = ("auto.offset.reset=earliest", "session.timeout.ms=6000", "auto.commit.interval.ms=100")
        command = ["kcat", "-b", server.ports["kafka"], "-u", *[word for one in settings for word in ("-X", one)], *options,
                   "-f", "%p %o %s\n", "-G", group, "events"]
        self.process = subprocess.Popen(command, stdout=open(self.out, "wb"), stderr=open(self.err, "wb"))

    def records(self):
        return self.out.read_text().splitlines()

    def partitions(self):
        """Those of its last assignment."""
        found = re.findall(r"assigned: (.*)", self.err.read_text())
        return set(re.findall(r"\[(\d+)\]", found[-1])) if found else set()

    def stop(self, kill=False):
        (self.process.kill if kill else self.process.terminate)()
        self.process.wait(timeout=DEADLINE_S)


def produce(server, first):
    lines = "".join(f"k{i % 31}:{i}\n" for i in range(first, first + RECORDS))
    command = ["kcat", "-b", server.ports["kafka"], "-P", "-t", "events", "-K", ":"]
    done = subprocess.run(command, input=lines, text=True, timeout=60)
    check(done.returncode == 0, "kcat produces")


def main():
    need("kcat")
    server = Server(options=("--set", f"num.partitions={PARTITIONS}", "--set", "auto.create.topics.enable=true"))
    members = []
    try:
        server.start()
        produce(server, 0)
        one = Member(server, "one")
        members.append(one)
        wait_until(lambda: len(one.records()) == RECORDS, "one member reads everything")
        two = Member(server, "two")
        members.append(two)
        wait_until(lambda: len(one.partitions()) == 2 and len(two.partitions()) == 2, "two members share the partitions")
        check(not one.partitions() & two.partitions(), "no partition belongs to both")
        produce(server, RECORDS)
        wait_until(lambda: len(one.records()) + len(two.records()) == 2 * RECORDS, "both read the new records, none twice")
        check(len(two.records()) > 0, "the second member has its share")
        one.stop()
        wait_until(lambda: len(two.partitions()) == PARTITIONS, "the member that stays gets all partitions")
        produce(server, 2 * RECORDS)
        wait_until(lambda: len(one.records()) + len(two.records()) == 3 * RECORDS, "it reads them all")
        wait_until(lambda: server.metric("millrace_kafka_group_lag_records") == 0, "everything is committed")
        two.stop(kill=True)
        server.kill()
        server.start()
        produce(server, 3 * RECORDS)
        begin = time.monotonic()
        three = Member(server, "three")
        members.append(three)
        wait_until(lambda: len(three.records()) >= RECORDS, "a new member goes on after the crash")
        values = sorted(int(line.split()[2]) for line in three.records())
        check(values == list(range(3 * RECORDS, 4 * RECORDS)), "exactly where the group had committed")
        print(f"{4 * RECORDS} records, two members, one rebalance, one crash; resumed in {time.monotonic() - begin:.1f} s")
    finally:
        for member in members:
            if member.process.poll() is None:
                member.stop(kill=True)
        server.abandon()


main()
sys.exit(0)
