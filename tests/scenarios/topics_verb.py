"""`millrace topics`: create, list, describe, alter, delete against a running server, in Kafka's words."""
import subprocess

from _server import MILLRACE, check, serving


def main():
    with serving(config="num.partitions: 2\n") as server:
        def topics(*words, status=0):
            done = subprocess.run([MILLRACE, "topics", *words, "--kafka", server.ports["kafka"]], capture_output=True, text=True,
                                  timeout=60)
            check(done.returncode == status, f"topics {' '.join(words)} ended with {done.returncode}: {done.stdout}{done.stderr}")
            return done.stdout + done.stderr

        check(topics("create", "a", "b", "--partitions", "3", "--config", "retention.ms=1000") ==
              "Created topic a.\nCreated topic b.\n", "create")
        check(topics("create", "c") == "Created topic c.\n", "num.partitions")
        check("Topic 'a' already exists." in topics("create", "a", status=1), "twice")
        check(topics("create", "a", "--if-not-exists") == "", "twice, allowed")
        check("Unknown topic config name: no.such" in topics("create", "d", "--config", "no.such=1", status=1), "unknown key")
        listed = [name for name in topics("list", "--exclude-internal").split() if not name.startswith("connect-")]
        check(listed == ["a", "b", "c"], "list")
        lines = topics("describe", "a").splitlines()
        check(lines[0].startswith("Topic: a\tTopicId: ") and
              lines[0].endswith("\tPartitionCount: 3\tReplicationFactor: 1\tConfigs: retention.ms=1000"), lines[0])
        check(lines[3] == "\tTopic: a\tPartition: 2\tLeader: 1\tReplicas: 1\tIsr: 1", lines[3])
        topics("alter", "a", "--partitions", "5", "--config", "cleanup.policy=compact", "--delete-config", "retention.ms")
        line = topics("describe", "a").splitlines()[0]
        check(line.endswith("PartitionCount: 5\tReplicationFactor: 1\tConfigs: cleanup.policy=compact"), line)
        check("would not be an increase" in topics("alter", "a", "--partitions", "1", status=1), "fewer")
        check("Not a number of type LONG" in topics("alter", "a", "--config", "retention.ms=soon", status=1), "bad value")
        check(topics("delete", "a", "b") == "Deleted topic a.\nDeleted topic b.\n", "delete")
        check("does not exist as expected" in topics("delete", "a", status=1), "gone")
        check(topics("delete", "a", "--if-exists") == "", "gone, allowed")
        check("does not exist as expected" in topics("describe", "a", status=1), "describe what is gone")
        topics("burn", status=64)
        check(server.stop() == 0, "clean stop")
    done = subprocess.run([MILLRACE, "topics", "list", "--kafka", "127.0.0.1:1"], capture_output=True, text=True, timeout=60)
    check(done.returncode == 1 and "no server there" in done.stderr, f"nobody there: {done.stderr}")


main()
