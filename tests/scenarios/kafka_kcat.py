"""kcat of Debian 12 (librdkafka 2.0.2): produce and fetch with keys and headers, every compression really used, idempotent
and acks=0, order per key, offsets."""
import hashlib
import subprocess

from _server import check, need, serving, wait_until

NOTE = "a text that is worth compressing " * 4
RECORDS = [(f"device-{i % 17}", '{"speed": %d, "note": "%s"}' % (i, NOTE)) for i in range(3000)]


def kcat(server, *arguments, data=None):
    done = subprocess.run(["kcat", "-b", server.ports["kafka"], *arguments], input=data, capture_output=True, text=True,
                          timeout=120)
    check(done.returncode == 0, f"kcat {' '.join(arguments)} ended with {done.returncode}: {done.stderr}")
    return done.stdout


def digest(lines):
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def main():
    need("kcat")
    sent = [f"{key}\t{value}" for key, value in RECORDS]
    data = "\n".join(sent) + "\n"
    with serving(options=("--set", "num.partitions=4", "--set", "auto.create.topics.enable=true")) as server:
        check("1 brokers" in kcat(server, "-L"), "kcat -L sees one broker")
        for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
            topic = f"kcat-{codec}"
            before = server.metric("millrace_kafka_received_bytes_total")
            kcat(server, "-P", "-t", topic, "-K", "\t", "-H", "trace=1", "-z", codec, data=data)
            took = server.metric("millrace_kafka_received_bytes_total") - before
            check((took < len(data) / 2) == (codec != "none"), f"{codec}: {took:.0f} bytes for {len(data)}: is it compressed?")
            got = kcat(server, "-C", "-t", topic, "-o", "beginning", "-e", "-q", "-f", "%k\t%s\t%h\n").splitlines()
            check(digest(got) == digest(f"{line}\ttrace=1" for line in sent), f"{codec}: what comes out is what went in")
        for name, setting in (("idempotent", "enable.idempotence=true"), ("acks0", "acks=0")):
            kcat(server, "-P", "-t", f"kcat-{name}", "-K", "\t", "-X", setting, data=data)
            # acks=0: the client has gone before the log has everything.
            wait_until(lambda topic=f"kcat-{name}": digest(server.consume(topic, form="%k\t%s\n")) == digest(sent),
                       f"{name}: what comes out is what went in")
        # Order per key: every device's values come out in the order they went in, all in one partition.
        seen = {}
        for line in server.consume("kcat-idempotent", form="%p\t%k\t%s\n"):
            partition, key, value = line.split("\t")
            seen.setdefault(key, []).append((partition, value))
        for device, got in seen.items():
            check(len({partition for partition, _ in got}) == 1, f"{device} is in one partition")
            check([value for _, value in got] == [v for k, v in RECORDS if k == device], f"{device} keeps its order")
        ends = kcat(server, "-Q", *[word for p in range(4) for word in ("-t", f"kcat-none:{p}:-1")])
        check(sum(int(line.split()[-1]) for line in ends.splitlines()) == len(RECORDS), f"offsets add up: {ends}")


main()
