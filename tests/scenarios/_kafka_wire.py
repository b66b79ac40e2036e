"""Kafka requests made from the descriptors in schemas/kafka, with the places of their counts, lengths and tags, so that a test
can break each of them. Python's standard library only."""
import json
import re
import socket
import struct
from pathlib import Path

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas" / "kafka"
INTEGERS = {"int8": "b", "int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "int64": "q", "float64": "d"}


def uvarint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def varint(value):
    return uvarint((value << 1) ^ (value >> 63))


def in_range(versions, version):
    if versions == "none" or not versions:
        return False
    if versions.endswith("+"):
        return version >= int(versions[:-1])
    first, _, last = versions.partition("-")
    return int(first) <= version <= int(last or first)


class Place:
    """A count, length or tag section in an encoded body: where it is, what it is, and how it is written."""

    def __init__(self, at, size, kind, flexible):
        self.at, self.size, self.kind, self.flexible = at, size, kind, flexible


class Api:
    def __init__(self, path):
        self.json = json.loads(re.sub(r"^\s*//.*$", "", path.read_text(), flags=re.M))
        self.name, self.key = self.json["name"].removesuffix("Request"), self.json["apiKey"]
        self.structs = {s["name"]: s["fields"] for s in self.json.get("commonStructs", [])}

    def flexible(self, version):
        return in_range(self.json.get("flexibleVersions", "none"), version)

    def body(self, version, values=None):
        """(bytes, places): one element in every array and a short text in every string, or what `values` says by field name."""
        self.out, self.places = bytearray(), []
        self.version, self.values, self.is_flexible = version, values or {}, self.flexible(version)
        self.struct(self.json["fields"], self.values)
        return bytes(self.out), self.places

    def length(self, count, kind, width):
        at = len(self.out)
        self.out += uvarint(count + 1) if self.is_flexible else struct.pack(">" + width, count)
        self.places.append(Place(at, len(self.out) - at, kind, self.is_flexible))

    def struct(self, fields, values):
        for field in fields:
            if in_range(field["versions"], self.version) and not in_range(field.get("taggedVersions", "none"), self.version):
                self.field(field, values)
        if self.is_flexible:
            self.places.append(Place(len(self.out), 1, "tags", True))
            self.out += b"\0"

    def field(self, field, values):
        kind, value = field["type"], values.get(field["name"])
        if kind.startswith("[]"):
            item = kind[2:]
            items = [None] if value is None else value
            self.length(len(items), "array", "i")
            for one in items:
                self.item(item, field, one)
        else:
            self.item(kind, field, value)

    def item(self, kind, field, value):
        if kind in INTEGERS:
            self.out += struct.pack(">" + INTEGERS[kind], value or 0)
        elif kind == "bool":
            self.out += bytes([1 if value else 0])
        elif kind == "uuid":
            self.out += bytes(16)
        elif kind == "string":
            text = ("t" if value is None else value).encode()
            self.length(len(text), "string", "h")
            self.out += text
        elif kind in ("bytes", "records"):
            data = b"" if value is None else value
            self.length(len(data), "bytes", "i")
            self.out += data
        else:
            self.struct(field.get("fields") or self.structs[kind], value or {})


def load_apis():
    apis = [Api(path) for path in sorted(SCHEMAS.glob("*Request.json"))]
    return {api.key: api for api in apis}


def header(key, version, correlation, flexible, client=b"hostile"):
    return struct.pack(">hhih", key, version, correlation, len(client)) + client + (b"\0" if flexible else b"")


def framed(payload):
    return struct.pack(">i", len(payload)) + payload


# Castagnoli's polynomial, reflected.
TABLE = []
for _n in range(256):
    for _ in range(8):
        _n = _n >> 1 ^ (0x82F63B78 if _n & 1 else 0)
    TABLE.append(_n)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF


def record(index, key=b"k", value=b"v", offset_delta=None, tail=b"", length=None):
    body = b"\0" + varint(0) + varint(index if offset_delta is None else offset_delta)
    body += varint(-1) if key is None else varint(len(key)) + key
    body += varint(len(value)) + value + varint(0) + tail
    return varint(len(body) if length is None else length) + body


def batch(records=None, count=None, attributes=0, delta=None, producer=(-1, -1, -1), magic=2, length=None, epoch=0, crc=None,
          base=0, body=None):
    """A record batch of format v2; every field can be given another value, the checksum follows unless `crc` is given."""
    records = [record(0)] if records is None else records
    count = len(records) if count is None else count
    body = b"".join(records) if body is None else body
    checked = struct.pack(">hiqqqhii", attributes, count - 1 if delta is None else delta, 1000, 1000, *producer, count) + body
    size = 9 + len(checked)
    crc = crc32c(checked) if crc is None else crc
    return struct.pack(">qiibI", base, size if length is None else length, epoch, magic, crc) + checked


class Connection:
    def __init__(self, address, apis):
        host, port = address.rsplit(":", 1)
        self.socket, self.apis = socket.create_connection((host, int(port)), timeout=20), apis

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def request(self, key, version, body, correlation=1):
        self.send(framed(header(key, version, correlation, self.apis[key].flexible(version)) + body))

    def ask(self, key, version, values):
        """The answer behind the correlation id, or None when the connection was closed instead."""
        self.request(key, version, self.apis[key].body(version, values)[0])
        return self.answer()

    def read(self, count):
        data = b""
        while len(data) < count:
            try:
                piece = self.socket.recv(count - len(data))
            except (ConnectionResetError, BrokenPipeError):
                return None
            if not piece:
                return None
            data += piece
        return data

    def answer(self):
        size = self.read(4)
        body = self.read(struct.unpack(">i", size)[0]) if size else None
        return body[4:] if body else None
