"""`millrace groups`: list, describe, reset, delete-offsets and delete against a running server, in Kafka's words."""
import subprocess

from _server import MILLRACE, check, need, serving, wait_until

RECORDS = 90


def main():
    need("kcat")
    config = "topics:\n- {name: events, partitions: 3}\n- {name: other, partitions: 1}\n"
    with serving(config=config) as server:
        def groups(*words, status=0):
            done = subprocess.run([MILLRACE, "groups", *words, "--kafka", server.ports["kafka"]], capture_output=True, text=True,
                                  timeout=60)
            check(done.returncode == status, f"groups {' '.join(words)} ended with {done.returncode}: {done.stdout}{done.stderr}")
            return done.stdout + done.stderr

        def rows():
            """Partition: (committed, end, lag) as described."""
            table = [line.split() for line in groups("describe", "readers").splitlines() if line.startswith("readers")]
            return {int(row[2]): tuple(row[3:6]) for row in table}

        def kcat(*words, data=None):
            command = ["kcat", "-b", server.ports["kafka"], *words]
            done = subprocess.run(command, input=data, capture_output=True, text=True, timeout=60)
            check(done.returncode == 0, f"kcat {' '.join(words)}: {done.stderr}")
            return done.stdout.splitlines()

        check(groups("list") == "", "no group yet")
        check("does not exist" in groups("describe", "readers", status=1), "describe what is not there")
        for partition in range(3):
            kcat("-P", "-t", "events", "-p", str(partition), data="".join(f"{i}\n" for i in range(RECORDS // 3)))
        reading = ("-X", "auto.offset.reset=earliest", "-e", "-q", "-G", "readers", "events")
        check(len(kcat(*reading)) == RECORDS, "a member reads everything")
        check(groups("list") == "readers\n", "list")
        check("readers" in groups("list", "--state") and "Empty" in groups("list", "--state"), "with its state")
        check(rows() == {p: ("30", "30", "0") for p in range(3)}, f"describe: {rows()}")
        check("has no active members" in groups("describe", "readers", "--members"), "nobody is there")
        shown = groups("reset", "readers", "--topic", "events", "--to-earliest")
        check("Nothing was changed" in shown and rows()[0][0] == "30", "a reset without --execute only shows")
        groups("reset", "readers", "--topic", "events:0,1", "--to-offset", "10", "--execute")
        groups("reset", "readers", "--topic", "events:1", "--shift-by", "-3", "--execute")
        groups("reset", "readers", "--topic", "events:2", "--shift-by", "1000", "--execute")
        check(rows() == {0: ("10", "30", "20"), 1: ("7", "30", "23"), 2: ("30", "30", "0")}, f"reset: {rows()}")
        check(len(kcat(*reading)) == 43, "a member reads from there")
        groups("reset", "readers", "--all-topics", "--to-timestamp", "0", "--execute")
        check(rows()[0][2] == "30", "to a time before everything")
        before = rows()
        groups("reset", "readers", "--all-topics", "--to-current", "--execute")
        check(rows() == before, "to where it is")
        groups("reset", "--all-groups", "--all-topics", "--to-datetime", "2100-01-01T00:00:00Z", "--execute")
        check(rows()[0][2] == "0", "to a time behind everything")
        groups("reset", "readers", "--all-topics", "--by-duration", "P1DT1H", "--execute")
        check(rows()[0][2] == "30", "to a day ago")
        check("like P1DT2H30M" in groups("reset", "readers", "--all-topics", "--by-duration", "1h", status=1), "not a duration")
        check("Successful" in groups("delete-offsets", "readers", "--topic", "events:2"), "delete-offsets")
        check(2 not in rows(), "is forgotten")
        command = ["kcat", "-b", server.ports["kafka"], "-q", "-G", "readers", "events"]
        member = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            wait_until(lambda: "Stable" in groups("describe", "readers", "--state"), "a member joins")
            check("events(0,1,2)" in groups("describe", "readers", "--members"), "its partitions are shown")
            busy = groups("reset", "readers", "--topic", "events", "--to-latest", "--execute", status=1)
            check("inactive" in busy, "busy: no reset")
            check("not empty" in groups("delete", "readers", status=1), "busy: no deletion")
        finally:
            member.terminate()
            member.wait()
        wait_until(lambda: "Empty" in groups("describe", "readers", "--state"), "it leaves")
        check("was successful" in groups("delete", "readers"), "delete")
        check(groups("list") == "", "is gone")
        check("does not exist" in groups("delete", "readers", status=1), "twice")
        groups("burn", status=64)
        check(server.stop() == 0, "clean stop")


main()
