"""More than 500 malformed Kafka requests: each closes its connection or is answered with Kafka's error code; none reaches the
log, the program lives on and grows by less than 32 MiB."""
# timeout: 600
import gzip
import os
import socket
import struct

from _kafka_wire import Connection, batch, framed, header, load_apis, record, uvarint, varint
from _server import check, need, serving

MIB = 1 << 20
PRODUCE, FETCH, LIST_OFFSETS, API_VERSIONS, INIT_PRODUCER_ID = 0, 1, 2, 18, 22
APIS = load_apis()


def resident_bytes(process):
    with open(f"/proc/{process.pid}/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def frames():
    """(what, bytes) that are no frame or no header."""
    for size in (-1, -2**31, 0, 1, 7, 2**31 - 1, 101 * MIB, 2 * MIB):
        yield f"size {size}", struct.pack(">i", size) + b"\0" * min(max(size, 0), 16)
    yield "not Kafka", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    yield "TLS hello", bytes.fromhex("16030100c8010000c40303") + bytes(200)
    for key in (-1, 4, 5, 6, 7, 52, 71, 1000, 32767, -32768):
        yield f"key {key}", framed(struct.pack(">hhih", key, 0, 1, -1))
    for length in (-2, -32768, 100, 32767):
        yield f"client id of {length}", framed(struct.pack(">hhih", 3, 1, 1, length) + b"abc")
    yield "flexible header without tags", framed(struct.pack(">hhih", 3, 9, 1, -1))
    yield "flexible header, tag past its end", framed(struct.pack(">hhih", 3, 9, 1, -1) + b"\x01\x00\x7f")
    yield "flexible header, endless varint", framed(struct.pack(">hhih", 3, 9, 1, -1) + b"\xff" * 12)


def versions_of(served):
    """Of every served API: versions that are not, each with a body that would do for one that is."""
    for key, (first, last) in served.items():
        for version in (first - 1, last + 1, last + 100, -1, 32767, -32768):
            if key == API_VERSIONS or first <= version <= last:
                continue  # ApiVersions answers versions it does not know
            yield f"{APIS[key].name} version {version}", framed(header(key, version, 1, APIS[key].flexible(last)) + b"\0" * 40)


def bodies(served):
    """Of every served API, first and last version: cut at many places, and every count, length and tag section made wrong."""
    for key, (first, last) in served.items():
        for version in sorted({max(first, 3) if key == PRODUCE else first, last}):
            api = APIS[key]
            start = header(key, version, 1, api.flexible(version))
            body, places = api.body(version)
            name = f"{api.name} v{version}"
            step = max(1, len(body) // 8)
            for cut in range(0, len(body), step):
                yield f"{name} cut at {cut}", framed(start + body[:cut])
            for place in places:
                for what, wrong in wrong_values(place):
                    broken = body[:place.at] + wrong + body[place.at + place.size:]
                    yield f"{name}, {place.kind} at {place.at} is {what}", framed(start + broken)


def wrong_values(place):
    if place.kind == "tags":
        yield "100 tags", uvarint(100)
        yield "a tag past the end", b"\x01\x05\x7f"
        yield "a tag of 4 GiB", b"\x01\x05" + uvarint(2**32 - 1)
    elif place.flexible:
        yield "2^31", uvarint(2**31)
        yield "1,000,000", uvarint(1_000_001)
        yield "six bytes long", b"\xff" * 5 + b"\x01"
    else:
        pack = ">h" if place.kind == "string" else ">i"
        yield "the largest", struct.pack(pack, 2**15 - 1 if pack == ">h" else 2**31 - 1)
        yield "-2", struct.pack(pack, -2)
        if place.kind != "string":
            yield "1,000,000", struct.pack(pack, 1_000_000)


def bombs():
    """(what, batch, code): a small batch that grows, or says it would, beyond kafka.max.decompressed.bytes."""
    yield "gzip of 100 MiB", batch(body=gzip.compress(bytes(100 * MIB), 6), count=1, attributes=1), 10
    zstd = bytes.fromhex("28b52ffd0058")
    blocks = ((128 << 10) << 3 | 1 << 1).to_bytes(3, "little") + b"\0"
    yield "zstd of 100 MiB", batch(body=zstd + blocks * 800, count=1, attributes=4), 10
    claim = bytes.fromhex("28b52ffdc058") + struct.pack("<Q", 2**62)
    yield "zstd that says 2^62", batch(body=claim, count=1, attributes=4), 87
    yield "raw snappy of 4 GiB", batch(body=b"\xff\xff\xff\xff\x0f\x00a", count=1, attributes=2), (10, 87)
    xerial = b"\x82SNAPPY\0" + struct.pack(">ii", 1, 1)
    yield "xerial snappy, block of 2 GiB", batch(body=xerial + struct.pack(">i", 2**31 - 1) + b"x", count=1, attributes=2), 87
    yield "xerial snappy, negative block", batch(body=xerial + struct.pack(">i", -5) + b"x", count=1, attributes=2), 87
    for codec, name in ((1, "gzip"), (2, "snappy"), (3, "lz4"), (4, "zstd")):
        yield f"{name} of nothing", batch(body=b"", count=1, attributes=codec), 87
        yield f"{name} of noise", batch(body=bytes(range(7, 207)), count=1, attributes=codec), (10, 87)
    good = gzip.compress(record(0))
    yield "gzip with bytes behind it", batch(body=good + b"more", count=1, attributes=1), 87
    yield "gzip cut short", batch(body=good[:-9], count=1, attributes=1), 87
    yield "gzip of two records, one counted", batch(body=gzip.compress(record(0) + record(1)), count=1, attributes=1), 87
    yield "gzip of one record, 1000 counted", batch(body=good, count=1000, attributes=1), 87


def batches():
    """(what, records field, code or codes) of Produce requests that are well-formed but for the batch."""
    yield "no bytes", b"", 87
    whole = batch()
    for cut in range(1, len(whole), 3):
        yield f"cut at {cut}", whole[:cut], 2
    for at in range(21, len(whole), 2):
        yield f"byte {at} changed", whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1:], (2, 87, 76)
    for magic in (-1, 0, 1, 3, 127):
        yield f"magic {magic}", batch(magic=magic), (2, 43, 87)
    for length in (-1, 0, 1, 48, 49 + 2**20, 2**31 - 1):
        yield f"length {length}", batch(length=length), 2
    yield "wrong checksum", batch(crc=1), 2
    for count in (0, -1, 2, 1000, 2**31 - 1):
        yield f"count {count}", batch(count=count, delta=0), (2, 87)
    for delta in (-1, 1, 5, 2**31 - 1):
        yield f"last offset delta {delta}", batch(delta=delta), (2, 87)
    for codec in (5, 6, 7):
        yield f"codec {codec}", batch(attributes=codec), (2, 76, 87)
    yield "control batch", batch(attributes=0x20), 87
    yield "transactional batch", batch(attributes=0x10, producer=(1, 0, 0)), 48
    for producer in ((5, -1, 0), (5, 0, -1), (5, -7, -7)):
        yield f"producer {producer}", batch(producer=producer), 87
    for length in (-1, 0, 1, 100, 2**31 - 1, 2**40):
        yield f"record of {length} bytes", batch([record(0, length=length)]), 87
    yield "record behind the counted ones", batch([record(0), record(1)], count=1), 87
    yield "a record too few", batch([record(0)], count=2, delta=1), (2, 87)
    for delta in (-1, 1, 7, 2**31):
        yield f"record offset delta {delta}", batch([record(0, offset_delta=delta)]), 87
    yield "key of 2 GiB", batch(body=varint(12) + b"\0\0\0" + varint(2**31 - 1) + b"abc"), 87
    yield "key of -5", batch(body=varint(8) + b"\0\0\0" + varint(-5) + b"\2a\0\0\0"[:4]), 87
    yield "record with a tail", batch([record(0, tail=b"tail")]), 87
    for headers in (-1, 1, 100, 2**31 - 1):
        body = b"\0\0\0\2k\2v" + varint(headers)
        yield f"{headers} record headers", batch(body=varint(len(body)) + body), 87
    body = b"\0\0\0\2k\2v" + varint(1) + varint(-1) + varint(-1)
    yield "record header without a key", batch(body=varint(len(body)) + body), 87
    yield "good batch, then half of one", batch() + batch()[:30], 2
    yield "good batch, then a broken one", batch() + batch(crc=7), 2
    yield from bombs()


def produce(connection, records, topic="hostile", acks=-1, partition=0):
    answer = connection.ask(PRODUCE, 7, {"acks": acks, "Acks": acks, "TransactionalId": None, "TopicData": [
        {"Name": topic, "PartitionData": [{"Index": partition, "Records": records}]}]})
    # [topics] name [partitions] index, error
    return None if answer is None else struct.unpack_from(">h", answer, 4 + 2 + len(topic) + 4 + 4)[0]


def fix_null_transactional_id():
    """Produce's transactional id is null in every request here: the generic encoder would write a text."""
    api = APIS[PRODUCE]
    plain = api.item

    def item(kind, field, value):
        if field["name"] == "TransactionalId":
            api.out += b"\0" if api.is_flexible else b"\xff\xff"
        else:
            plain(kind, field, value)

    api.item = item


def expect_closed(server, cases):
    for what, data in cases:
        with Connection(server.ports["kafka"], APIS) as connection:
            try:
                connection.send(data)
                connection.socket.shutdown(socket.SHUT_WR) if what.startswith("size") else None
                check(connection.answer() is None, f"{what}: answered instead of closed")
            except (ConnectionResetError, BrokenPipeError):
                pass
            except TimeoutError:
                check(False, f"{what}: the connection stays open")
        yield what


def served_ranges(server):
    with Connection(server.ports["kafka"], APIS) as connection:
        answer = connection.ask(API_VERSIONS, 0, {})
    count, ranges = struct.unpack_from(">i", answer, 2)[0], {}
    for i in range(count):
        key, first, last = struct.unpack_from(">hhh", answer, 6 + 6 * i)
        ranges[key] = (first, last)
    return ranges


def check_produce(server):
    done = 0
    with Connection(server.ports["kafka"], APIS) as connection:
        for what, records, codes in batches():
            code = produce(connection, records)
            allowed = codes if isinstance(codes, tuple) else (codes,)
            check(code in allowed, f"produce, {what}: answered with {code}, not {codes}")
            done += 1
        for what, values, wanted in (("to nowhere", {"topic": "nowhere"}, 3), ("to partition 9", {"partition": 9}, 3),
                                     ("to partition -1", {"partition": -1}, 3), ("acks 2", {"acks": 2}, 21),
                                     ("no key, compacted", {"topic": "compacted", "records": batch([record(0, key=None)])}, 87)):
            code = produce(connection, **{"records": batch(), **values})
            check(code == wanted, f"produce {what}: answered with {code}, not {wanted}")
            done += 1
    with Connection(server.ports["kafka"], APIS) as connection:
        check(produce(connection, batch(crc=1), acks=0) is None, "acks=0 with a broken batch closes the connection")
    return done + 1


def check_producers_and_offsets(server):
    """Well-formed requests that are wrong: stale epochs, gaps in sequences, impossible offsets."""
    with Connection(server.ports["kafka"], APIS) as connection:
        wanted = [((7, 3, 0), 0), ((7, 2, 1), 47), ((7, 3, 5), 45), ((7, 4, 9), 45), ((7, 4, 0), 0), ((7, 3, 1), 47)]
        for producer, code in wanted:
            got = produce(connection, batch(producer=producer), topic="producers")
            check(got == code, f"producer id, epoch, sequence {producer}: {got}, not {code}")
        for offset, code in ((-1, 1), (10**9, 1), (2**62, 1), (-2**63, 1)):
            answer = connection.ask(FETCH, 4, {"ReplicaId": -1, "MinBytes": 0, "MaxBytes": 1000, "Topics": [
                {"Topic": "hostile", "Partitions": [{"Partition": 0, "FetchOffset": offset, "PartitionMaxBytes": 1000}]}]})
            got = struct.unpack_from(">h", answer, 4 + 4 + 2 + len("hostile") + 4 + 4)[0]
            check(got == code, f"fetch at {offset}: {got}, not {code}")
    return len(wanted) + 4


def end_offset(server, topic):
    with Connection(server.ports["kafka"], APIS) as connection:
        answer = connection.ask(LIST_OFFSETS, 1, {"ReplicaId": -1, "Topics": [
            {"Name": topic, "Partitions": [{"PartitionIndex": 0, "Timestamp": -1}]}]})
        return struct.unpack_from(">hqq", answer, 4 + 2 + len(topic) + 4 + 4)[2]


CONFIG = """
topics:
  - {name: hostile, partitions: 1}
  - {name: producers, partitions: 1}
  - {name: compacted, partitions: 1, config: {cleanup.policy: compact}}
"""


def main():
    need("kcat")
    fix_null_transactional_id()
    with serving(config=CONFIG) as server:
        with Connection(server.ports["kafka"], APIS) as connection:
            check(produce(connection, batch()) == 0, "a good batch is taken")
        served = served_ranges(server)
        before, cases = resident_bytes(server.process), 0
        for source in (frames(), versions_of(served), bodies(served)):
            for _ in expect_closed(server, source):
                cases += 1
        cases += check_produce(server) + check_producers_and_offsets(server)
        check(server.process.poll() is None, "still running")
        check(end_offset(server, "hostile") == 1, "only the good batch is in the log")
        check(end_offset(server, "compacted") == 0, "nothing is in the compacted topic")
        grown = resident_bytes(server.process) - before
        check(cases >= 500, f"{cases} cases")
        check(grown < 32 * MIB, f"grew by {grown / MIB:.1f} MiB")
        lines = server.log.read_text(errors="replace").count("kafka_connection_closed")
        check(lines < cases, "lines about closed connections are limited")
        print(f"{cases} malformed requests, grown by {grown / MIB:.1f} MiB, {lines} lines in the log")
        check(server.consume("hostile", "%o %s\n") == ["0 v"], "a good client is served")
        check(server.stop() == 0, "clean stop")


main()
