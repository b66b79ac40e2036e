"""librdkafka's own test programs against the server: every test that needs a broker, a process for each number.

The source with its tests is in the Rust package rdkafka-sys; it is built as it is, in build/librdkafka. What does not pass is in
EXPECTED with its reason (docs/compatibility.md tells more); a test that fails and is not there fails this one, and so does one
that is there and passes. All of them take half an hour: without MILLRACE_LIBRDKAFKA only SHORT runs; it is "all", or tests by
number ("0011,0081")."""
# timeout: 5000
import concurrent.futures
import functools
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scenarios"))
from _kafka_jars import kafka_jars  # noqa: E402
from _server import MILLRACE, SOURCE, Server, check, need, scratch, skip  # noqa: E402

CRATE, VERSION = "rdkafka-sys", "4.10.0+2.12.1"
KEPT = SOURCE / "build" / "librdkafka"
LIMIT_S, AT_ONCE = 1200, 3
SHORT = ("0001", "0005", "0008", "0012", "0013", "0017", "0031", "0039", "0054", "0057", "0063", "0070", "0073", "0085", "0092",
         "0099", "0125", "0140")
TRANSACTIONS = "transactions"
LOG_IN = ("0135", "0142")  # these need a listener with SASL
EXPECTED = {
    "0028_long_topicnames": "known issue of librdkafka: it leaves the test out",
    "0047_partial_buf_tmout": "known issue of librdkafka: it leaves the test out",
    "0052_msg_timestamps": "sends Produce 1, which Apache Kafka 4 refuses too",
    "0055_producer_latency": TRANSACTIONS,
    "0061_consumer_lag": TRANSACTIONS,
    "0077_compaction": "Apache Kafka 4's kafka-topics refuses its segment.bytes (KIP-1030) before it asks",
    "0081_admin": "alters a setting of the broker (sasl.kerberos...), which only the configuration file can; the rest passes",
    "0097_ssl_verify": "leaves itself out: it needs the certificates of its own test cluster",
    "0098_consumer_txn": TRANSACTIONS,
    "0101_fetch_from_follower": "leaves itself out: it needs three brokers in racks",
    "0103_transactions": TRANSACTIONS,
    "0126_oauthbearer_oidc": "leaves itself out: it needs an OIDC provider",
    "0129_fetch_aborted_msgs": TRANSACTIONS,
    "0137_barrier_batch_consume": TRANSACTIONS,
    "0142_reauthentication": TRANSACTIONS,
    "0153_memberid": "leaves itself out: it is for the newer group protocol",
}


def source():
    """The package's copy of librdkafka, through cargo."""
    if not (KEPT / "tests").exists():
        shutil.rmtree(KEPT, ignore_errors=True)
        project = scratch() / "fetch"
        (project / "src").mkdir(parents=True, exist_ok=True)
        (project / "src/lib.rs").write_text("")
        (project / "Cargo.toml").write_text('[package]\nname = "fetch"\nversion = "0.1.0"\nedition = "2021"\n[dependencies]\n'
                                            f'{CRATE} = "={VERSION}"\n')
        done = subprocess.run(["cargo", "vendor", "--quiet", "vendor"], cwd=project, capture_output=True, text=True, timeout=600)
        if done.returncode != 0:
            skip(f"{CRATE} {VERSION} cannot be had: {done.stderr.strip()[-200:]}")
        shutil.copytree(project / "vendor" / CRATE / "librdkafka", KEPT)
    return KEPT


def build():
    tests = source() / "tests"
    if not (tests / "test-runner").exists():
        for words in (["./configure"], ["make", "-j2", "libs"], ["make", "-j2", "-C", "tests", "build"]):
            done = subprocess.run(words, cwd=KEPT, capture_output=True, text=True, timeout=1800)
            check(done.returncode == 0, f"{words}: {done.stdout[-1000:]}{done.stderr[-1000:]}")
    return tests


def kafka_scripts():
    """A folder with bin/kafka-topics.sh and kafka-acls.sh, as Apache Kafka's distribution has them."""
    libs, folder = kafka_jars("kafka_2.13"), scratch() / "kafka"
    (folder / "bin").mkdir(parents=True, exist_ok=True)
    for script, name in (("kafka-topics", "TopicCommand"), ("kafka-acls", "AclCommand")):
        path = folder / "bin" / f"{script}.sh"
        java = f'java -Xmx128M -XX:TieredStopAtLevel=1 -cp "{libs}/*" org.apache.kafka.tools.{name}'
        path.write_text(f'#!/bin/sh\nexec {java} "$@"\n')
        path.chmod(0o755)
    return folder


def broker_tests(tests):
    """{(number, server): [names]} in the runner's own table, but for tests that need no broker."""
    numbers = {}
    entries = re.split(r"^    _TEST\(", (tests / "test.c").read_text(), flags=re.M)[1:]
    table = [(entry.partition(",")[0], entry.partition("\n    {NULL}")[0]) for entry in entries if re.match(r"\d{4}_", entry)]
    for name, more in table:
        if "TEST_F_LOCAL" not in more and "TEST_F_MANUAL" not in more and not name.endswith(("_mock", "_local")):
            scenario = re.search(r'\.scenario = "(\w+)"', more)
            server = "sasl" if name[:4] in LOG_IN else scenario.group(1) if scenario else "default"
            numbers.setdefault((name[:4], server), []).append(name)
    return numbers


def run_number(wanted, names, tests, environments):
    """All tests of one number in one process: (name, outcome) of each."""
    (number, server), begin, log = wanted, time.monotonic(), scratch() / f"{'-'.join(wanted)}.log"
    scenario = server if server == "noautocreate" else "default"
    with open(log, "wb") as out:
        try:
            subprocess.run(["./test-runner", "-p1", "-L", "-K", "-V", "3.9.0", "-s", scenario], cwd=tests, stdout=out,
                           env={**environments[server], "TESTS": number}, stderr=subprocess.STDOUT, timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            out.write(b"timeout\n")
    text = re.sub(r"\x1b\[[\d;]*m", "", log.read_text(errors="replace"))
    outcomes = []
    for name in names:
        said = re.search(rf"Test {name} (PASSED|FAILED|SKIPPED)", text) or \
            re.search(rf"{name}\s*\|\s*(PASSED|FAILED|SKIPPED)", text)
        outcomes.append((name, said.group(1) if said else "no end"))
    return outcomes, time.monotonic() - begin, log


def environment_of(server, scripts):
    conf, sasl = server.data.parent / f"{server.data.name}.conf", ""
    if server.data.name == "sasl":
        sasl = "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.username=admin\nsasl.password=secret\n"
    conf.write_text(f"bootstrap.servers={server.ports['kafka']}\ntest.topic.random=true\ntest.timeout.multiplier=3\n{sasl}")
    return {**os.environ, "RDKAFKA_TEST_CONF": str(conf), "KAFKA_PATH": str(scripts), "BROKERS": server.ports["kafka"],
            "LD_LIBRARY_PATH": f"{KEPT}/src:{KEPT}/src-cpp"}


def main():
    need("cargo", "make", "java", "mvn")
    wanted = os.environ.get("MILLRACE_LIBRDKAFKA", "")
    tests, scripts = build(), kafka_scripts()
    numbers = broker_tests(tests)
    if wanted != "all":
        numbers = {key: names for key, names in numbers.items() if key[0] in (wanted.split(",") if wanted else SHORT)}
    config = ("num.partitions: 4\ngroup.initial.rebalance.delay.ms: 500\nkafka.authorization: acls\n"
              "allow.everyone.if.no.acl.found: true\n")
    users = scratch() / "users"
    made = subprocess.run([MILLRACE, "users", "hash", "admin"], input="secret", capture_output=True, text=True, check=True)
    users.write_text(made.stdout)
    more = {"default": "auto.create.topics.enable: true\n", "noautocreate": "auto.create.topics.enable: false\n",
            "sasl": "auto.create.topics.enable: true\nkafka.sasl.mechanisms: [PLAIN]\nconnections.max.reauth.ms: 10000\n"
                    f"auth.password.file: {users}\n"}
    servers = {name: Server(config + lines, name=name, data=scratch() / name) for name, lines in more.items()}
    outcomes, wrong = {}, []
    try:
        environments = {name: environment_of(server.start(), scripts) for name, server in servers.items()}
        run = functools.partial(run_number, tests=tests, environments=environments)
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            for found, seconds, log in pool.map(lambda one: run(*one), numbers.items()):
                for name, outcome in found:
                    outcomes[name] = outcome
                    print(f"{name:48} {outcome:8} {seconds:6.1f} s  {EXPECTED.get(name, '')}", flush=True)
                    if (outcome == "PASSED") == (name in EXPECTED):
                        wrong.append(f"{name}: {outcome}, see {log}")
        passed = sum(outcome == "PASSED" for outcome in outcomes.values())
        print(f"{passed} of {len(outcomes)} pass")
        check(not wrong, "; ".join(wrong))
        for server in servers.values():
            check(server.stop(within_s=30) == 0, "clean stop")
    finally:
        for server in servers.values():
            server.abandon()


main()
