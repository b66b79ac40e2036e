"""Apache Kafka's administration tools against millrace: topics, configs, partitions, log dirs, offsets, record deletion, leader
election, reassignments, cluster, API versions, idempotent producers."""
# timeout: 900
import json
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scenarios"))
from _kafka_jars import kafka_jars, run, tool  # noqa: E402
from _server import check, need, scratch, serving  # noqa: E402


def topics(libs, at):
    run(libs, "TopicCommand", *at, "--create", "--topic", "tools", "--partitions", "2", "--replication-factor", "3", "--config",
        "retention.ms=3600000")
    status, out, err = tool(libs, "TopicCommand", *at, "--create", "--topic", "tools")
    check(status != 0 and "Topic 'tools' already exists." in out + err, f"created twice: {out}{err}")
    status, out, err = tool(libs, "TopicCommand", *at, "--create", "--topic", "bad", "--config", "segment.bytes=huge")
    check(status != 0 and "Not a number of type INT" in out + err, f"a bad value: {out}{err}")
    described = run(libs, "TopicCommand", *at, "--describe", "--topic", "tools")
    for part in ("PartitionCount: 2", "ReplicationFactor: 1", "retention.ms=3600000"):
        check(part in described, described)
    run(libs, "TopicCommand", *at, "--alter", "--topic", "tools", "--partitions", "4")
    check("PartitionCount: 4" in run(libs, "TopicCommand", *at, "--describe", "--topic", "tools"), "four partitions")
    status, out, err = tool(libs, "TopicCommand", *at, "--alter", "--topic", "tools", "--partitions", "3")
    check(status != 0 and "would not be an increase" in out + err, f"fewer partitions: {out}{err}")
    bad = run(libs, "TopicCommand", *at, "--describe", "--under-replicated-partitions")
    check(bad.strip() == "", f"under-replicated: {bad}")


def configs(libs, at):
    of_topic = ("kafka.admin.ConfigCommand", *at, "--entity-type", "topics", "--entity-name", "tools")
    run(libs, *of_topic, "--alter", "--add-config", "max.message.bytes=100000,cleanup.policy=[compact,delete]")
    shown = run(libs, *of_topic, "--describe")
    check(re.search(r"max.message.bytes=100000 sensitive=false synonyms=\{DYNAMIC_TOPIC_CONFIG:max.message.bytes=100000, "
                    r"DEFAULT_CONFIG:message.max.bytes=1048588\}", shown), shown)
    check("cleanup.policy=compact,delete" in shown, shown)
    run(libs, *of_topic, "--alter", "--delete-config", "max.message.bytes,cleanup.policy")
    check("max.message.bytes" not in run(libs, *of_topic, "--describe"), "deleted")
    check("max.message.bytes=1048588" in run(libs, *of_topic, "--describe", "--all"), "back to the default")
    status, out, err = tool(libs, *of_topic, "--alter", "--add-config", "no.such.key=1")
    check(status != 0 and "Unknown topic config name: no.such.key" in out + err, f"an unknown key: {out}{err}")
    of_broker = ("kafka.admin.ConfigCommand", *at, "--entity-type", "brokers", "--entity-name", "1")
    everything = run(libs, *of_broker, "--describe", "--all")
    for key in ("num.partitions=1", "log.retention.hours=168", "node.id=1", "message.max.bytes=1048588"):
        check(key in everything, f"{key} in {everything}")
    status, out, err = tool(libs, *of_broker, "--alter", "--add-config", "num.partitions=5")
    check(status != 0 and "Cannot update these configs dynamically" in out + err, f"broker configs: {out}{err}")


def records(libs, at):
    run(libs, "ConsoleProducer", *at, "--topic", "tools", "--reader-property", "parse.key=true", "--reader-property",
        "key.separator=:", data="".join(f"k{i}:v{i}\n" for i in range(100)))
    ends = dict(re.findall(r"tools:(\d):(\d+)", run(libs, "GetOffsetShell", *at, "--topic", "tools")))
    check(sum(map(int, ends.values())) == 100 and len(ends) == 4, f"get-offsets: {ends}")
    check(len(re.findall(r"tools:\d:\d+", run(libs, "GetOffsetShell", *at, "--topic", "tools", "--time", "max-timestamp"))) == 4,
          "get-offsets by timestamp")
    partition = max(ends, key=lambda p: int(ends[p]))
    plan = scratch() / "delete.json"
    plan.write_text(json.dumps({"version": 1, "partitions": [{"topic": "tools", "partition": int(partition), "offset": 3}]}))
    out = run(libs, "DeleteRecordsCommand", *at, "--offset-json-file", str(plan))
    check(f"tools-{partition}\tlow_watermark: 3" in out, out)
    check(f"tools:{partition}:3" in run(libs, "GetOffsetShell", *at, "--topic", "tools", "--time", "earliest"), "the start moved")
    plan.write_text(json.dumps({"version": 1, "partitions": [{"topic": "tools", "partition": int(partition), "offset": 10**6}]}))
    told = tool(libs, "DeleteRecordsCommand", *at, "--offset-json-file", str(plan))
    check("OffsetOutOfRange" in "".join(map(str, told)), f"too far: {told}")
    producers = run(libs, "TransactionsCommand", *at, "describe-producers", "--topic", "tools", "--partition", partition)
    check(re.search(r"ProducerId\s+ProducerEpoch\s+LatestCoordinatorEpoch\s+LastSequence", producers) and
          len(producers.strip().splitlines()) == 2, producers)


def cluster(libs, at, server):
    dirs = run(libs, "LogDirsCommand", *at, "--describe", "--topic-list", "tools")
    told = json.loads(next(line for line in dirs.splitlines() if line.startswith("{")))
    [directory] = told["brokers"][0]["logDirs"]
    check(directory["logDir"] == str(server.data) and len(directory["partitions"]) == 4 and directory["error"] is None, dirs)
    out = run(libs, "LeaderElectionCommand", *at, "--election-type", "preferred", "--topic", "tools", "--partition", "0")
    check("Valid replica already elected" in out, out)
    run(libs, "LeaderElectionCommand", *at, "--election-type", "preferred", "--all-topic-partitions")
    out = run(libs, "reassign.ReassignPartitionsCommand", *at, "--list")
    check("No partition reassignments found." in out, out)
    check("Cluster ID: " in run(libs, "ClusterTool", "cluster-id", *at), "cluster-id")
    check("127.0.0.1" in run(libs, "ClusterTool", "list-endpoints", *at), "list-endpoints")
    versions = run(libs, "BrokerApiVersionsCommand", *at)
    check("Produce(0): 0 to 11" in versions and "IncrementalAlterConfigs(44): 0 to 1" in versions, versions)


def main():
    need("java", "mvn")
    libs = kafka_jars("kafka_2.13")
    with serving(config="auto.create.topics.enable: false\n") as server:
        at = ("--bootstrap-server", server.ports["kafka"])
        topics(libs, at)
        configs(libs, at)
        records(libs, at)
        cluster(libs, at, server)
        run(libs, "TopicCommand", *at, "--delete", "--topic", "tools")
        check("tools" not in run(libs, "TopicCommand", *at, "--list").split(), "deleted")
        check(server.stop() == 0, "clean stop")


main()
