"""A full disk and a topic with millrace.disk.full.policy=delete.oldest: its oldest segments go, all producers go on, the newest
records are there, and a topic that keeps its records keeps them."""
import os
import subprocess

from _crash import verify
from _server import MILLRACE, Server, check, need, scratch, skip, wait_until


def topics(server, *words):
    done = subprocess.run([MILLRACE, "topics", *words, "--kafka", server.ports["kafka"]], capture_output=True, text=True,
                          timeout=60)
    check(done.returncode == 0, f"topics {words}: {done.stdout}{done.stderr}")


def produce(server, topic, first, count):
    done = subprocess.run(["kcat", "-b", server.ports["kafka"], "-P", "-t", topic, "-p", "0", "-X", "message.timeout.ms=30000"],
                          input="".join(f"{number:08}{'x' * 20_000}\n" for number in range(first, first + count)), text=True,
                          capture_output=True, timeout=90)
    return done.returncode == 0


def numbers(server, topic):
    return [int(line) for line in (text[:8] for text in server.consume(topic, "%s\n"))]


def main():
    if os.geteuid() != 0:
        skip("mounting a small file system needs root")
    need("kcat")
    disk = scratch() / "small"
    disk.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160m", "tmpfs", str(disk)], capture_output=True, text=True)
    if done.returncode:
        skip(f"no tmpfs mount here: {done.stderr.strip()}")
    server = Server(name="gives-way", config="auto.create.topics.enable: false\n", data=disk / "data", options=[
        "--set", "journal.file.bytes=8MiB", "--set", "journal.max.bytes=32MiB", "--set", "journal.checkpoint.bytes=8MiB",
        "--set", "memory.tail.bytes=8MiB"])
    try:
        server.start()
        small = ("--partitions", "1", "--config", "segment.bytes=4194304", "--config", "file.delete.delay.ms=0")
        topics(server, "create", "kept", *small)
        topics(server, "create", "passing", *small, "--config", "millrace.disk.full.policy=delete.oldest")
        check(produce(server, "kept", 0, 500), "10 MB into the topic that keeps")
        sent = 0
        while sent < 15_000:  # 300 MB through 160 MB of disk
            check(produce(server, "passing", sent, 1_000), f"record {sent} and on: {server.log.read_text()[-500:]}")
            sent += 1_000
        check("retention_gave_way" in server.log.read_text(), "the log says that it gave way")
        found = numbers(server, "passing")
        check(found == list(range(found[0], sent)), "what is left is whole, in order, up to the newest")
        check(found[0] > 0, "the oldest went")
        check(numbers(server, "kept") == list(range(500)), "the topic that keeps its records kept them")
        wait_until(lambda: produce(server, "kept", 500, 1), "and is written to")
        check(server.stop() == 0, "clean stop")
        verify(server.data)
        print(f"{sent} records sent, {found[0]} of the oldest went")
    finally:
        server.abandon()
        subprocess.run(["umount", str(disk)], check=False)


main()
