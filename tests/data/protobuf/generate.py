"""Writes descriptor.b64 and cases.tsv with Google's Python library: random messages of cases.proto, encoded, and what is in
them as JSON. Needs `pip install protobuf grpcio-tools`; run here: python3 generate.py [COUNT]. The results are committed."""
import base64
import json
import random
import struct
import subprocess
import sys

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

FIELD = descriptor_pb2.FieldDescriptorProto


def shortest_float(value):
    for digits in range(1, 10):
        text = f"{value:.{digits}g}"
        if struct.unpack("f", struct.pack("f", float(text)))[0] == value:
            return float(text)
    return value


def plain(field, value):
    if field.type == FIELD.TYPE_MESSAGE:
        return as_json(value)
    if field.type == FIELD.TYPE_BYTES:
        return base64.b64encode(value).decode()
    if field.type == FIELD.TYPE_ENUM:
        known = field.enum_type.values_by_number.get(value)
        return known.name if known else value
    if field.type in (FIELD.TYPE_FLOAT, FIELD.TYPE_DOUBLE):
        if value != value:
            return "NaN"
        if value in (float("inf"), float("-inf")):
            return "Infinity" if value > 0 else "-Infinity"
        return shortest_float(value) if field.type == FIELD.TYPE_FLOAT else value
    return value


def key_text(key):
    return ("true" if key else "false") if isinstance(key, bool) else str(key)


def as_json(message):
    out = {}
    for field, value in message.ListFields():
        entry = field.message_type if field.type == FIELD.TYPE_MESSAGE else None
        if entry is not None and entry.GetOptions().map_entry:
            inner = entry.fields_by_name["value"]
            out[field.name] = {key_text(key): plain(inner, value[key]) for key in sorted(value)}
        elif field.is_repeated:
            out[field.name] = [plain(field, one) for one in value]
        else:
            out[field.name] = plain(field, value)
    return out


def integer(rng, bits, signed):
    value = rng.getrandbits(rng.choice([1, 7, 8, 14, bits]))
    return value - (1 << bits) if signed and value >= 1 << (bits - 1) else value


def scalar(rng, field):
    kind = field.type
    sizes = {FIELD.TYPE_INT32: (32, True), FIELD.TYPE_INT64: (64, True), FIELD.TYPE_UINT32: (32, False),
             FIELD.TYPE_UINT64: (64, False), FIELD.TYPE_SINT32: (32, True), FIELD.TYPE_SINT64: (64, True),
             FIELD.TYPE_FIXED32: (32, False), FIELD.TYPE_FIXED64: (64, False), FIELD.TYPE_SFIXED32: (32, True),
             FIELD.TYPE_SFIXED64: (64, True)}
    if kind in sizes:
        return integer(rng, *sizes[kind])
    if kind == FIELD.TYPE_BOOL:
        return rng.random() < 0.5
    if kind == FIELD.TYPE_STRING:
        return "".join(rng.choice("ab\"\\é€\n\U0001F600 ") for _ in range(rng.randrange(6)))
    if kind == FIELD.TYPE_BYTES:
        return rng.randbytes(rng.randrange(6))
    if kind == FIELD.TYPE_ENUM:
        return rng.choice([0, 1, -3, 77])
    real = rng.choice([0.5, -1e300, 1e-5, float("nan"), float("inf"), rng.uniform(-180, 180)])
    return max(min(real, 3e38), -3e38) if kind == FIELD.TYPE_FLOAT and real == real else real


def fill(rng, message, depth):
    for field in message.DESCRIPTOR.fields:
        if rng.random() < 0.7:
            continue
        entry = field.message_type if field.type == FIELD.TYPE_MESSAGE else None
        if entry is not None and entry.GetOptions().map_entry:
            for _ in range(rng.randrange(3)):
                key, value = entry.fields_by_name["key"], entry.fields_by_name["value"]
                if value.type == FIELD.TYPE_MESSAGE:
                    fill(rng, getattr(message, field.name)[scalar(rng, key)], depth + 1)
                else:
                    getattr(message, field.name)[scalar(rng, key)] = scalar(rng, value)
        elif entry is not None:
            if depth > 3:
                continue
            if field.is_repeated:
                for _ in range(rng.randrange(3)):
                    fill(rng, getattr(message, field.name).add(), depth + 1)
            else:
                getattr(message, field.name).SetInParent()
                fill(rng, getattr(message, field.name), depth + 1)
        elif field.is_repeated:
            getattr(message, field.name).extend(scalar(rng, field) for _ in range(rng.randrange(4)))
        else:
            setattr(message, field.name, scalar(rng, field))


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", "-I.", "--include_imports", "--descriptor_set_out=descriptor.bin",
                    "cases.proto"], check=True)
    with open("descriptor.bin", "rb") as file:
        binary = file.read()
    descriptors = descriptor_pb2.FileDescriptorSet.FromString(binary)
    pool = descriptor_pool.DescriptorPool()
    for file in descriptors.file:
        pool.Add(file)
    trip = message_factory.GetMessageClass(pool.FindMessageTypeByName("car.Trip"))
    rng = random.Random(1)
    with open("descriptor.b64", "w", encoding="ascii") as out:
        out.write(base64.b64encode(binary).decode() + "\n")
    with open("cases.tsv", "w", encoding="utf-8") as out:
        for _ in range(count):
            message = trip()
            fill(rng, message, 0)
            encoded = message.SerializeToString(deterministic=True)
            out.write(base64.b64encode(encoded).decode() + "\t" + json.dumps(as_json(message), separators=(",", ":")) + "\n")


main()
