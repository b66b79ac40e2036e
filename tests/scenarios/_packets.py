"""MQTT control packets to bytes and back, every field by its name: what packet scripts are made of (_packet_script.py). Knows
3.1.1 and 5. Deliberately willing: flags, identifiers and properties are written as they are named, sensible or not."""
import struct

TYPES = ("reserved", "connect", "connack", "publish", "puback", "pubrec", "pubrel", "pubcomp", "subscribe", "suback",
         "unsubscribe", "unsuback", "pingreq", "pingresp", "disconnect", "auth")
# name: identifier, form (b: one byte, h: two, i: four, v: variable, s: text or bytes, p: pair of texts)
PROPERTIES = {
    "format": (0x01, "b"), "message-expiry": (0x02, "i"), "content-type": (0x03, "s"), "response-topic": (0x08, "s"),
    "correlation": (0x09, "s"), "subscription-id": (0x0B, "v"), "session-expiry": (0x11, "i"), "assigned-id": (0x12, "s"),
    "server-keep-alive": (0x13, "h"), "method": (0x15, "s"), "data": (0x16, "s"), "problem-information": (0x17, "b"),
    "will-delay": (0x18, "i"), "request-response-information": (0x19, "b"), "response-information": (0x1A, "s"),
    "server-reference": (0x1C, "s"), "reason": (0x1F, "s"), "receive-maximum": (0x21, "h"), "alias-maximum": (0x22, "h"),
    "alias": (0x23, "h"), "maximum-qos": (0x24, "b"), "retain-available": (0x25, "b"), "user": (0x26, "p"),
    "maximum-packet": (0x27, "i"), "wildcards-available": (0x28, "b"), "subscription-ids-available": (0x29, "b"),
    "shared-available": (0x2A, "b"),
}
BY_ID = {number: (name, form) for name, (number, form) in PROPERTIES.items()}


def text(value):
    """A length and the bytes; `\\xNN` in a word is that byte."""
    data = value if isinstance(value, bytes) else raw(value)
    return struct.pack(">H", len(data)) + data


def raw(value):
    return value.encode("utf-8").decode("unicode_escape").encode("latin-1") if "\\" in value else value.encode()


def variable(number):
    out = bytearray()
    while True:
        number, low = divmod(number, 128)
        out.append(low | (0x80 if number else 0))
        if not number:
            return bytes(out)


def _one_property(name, value):
    number, form = PROPERTIES[name]
    if form == "p":
        key, _, word = value.partition(":")
        return bytes([number]) + text(key) + text(word)
    if form == "s":
        return bytes([number]) + text(value)
    return bytes([number]) + (variable(int(value)) if form == "v" else int(value).to_bytes({"b": 1, "h": 2, "i": 4}[form], "big"))


def properties(fields, prefix=""):
    block = b"".join(_one_property(name.removeprefix(prefix), value) for name, value in fields
                     if name.startswith(prefix) and name.removeprefix(prefix) in PROPERTIES)
    return variable(len(block)) + block


def packet(kind, flags, body):
    return bytes([TYPES.index(kind) << 4 | flags]) + variable(len(body)) + body


class Fields:
    """The words `name=value` of a line, in order; a name may come twice."""

    def __init__(self, words):
        self.all = [tuple(word.split("=", 1)) for word in words]

    def get(self, name, default=""):
        return next((value for key, value in self.all if key == name), default)

    def number(self, name, default=0):
        return int(self.get(name, default), 0) if isinstance(self.get(name, default), str) else default

    def has(self, name):
        return any(key == name for key, _ in self.all)

    def list(self, name):
        return [value for key, value in self.all if key == name]


def _connect(f, level):
    flags = 2 * f.number("clean", 1)
    if f.has("will-topic"):
        flags |= 4 | f.number("will-qos") << 3 | f.number("will-retain") << 5
    flags |= 0x40 * f.has("password") | 0x80 * f.has("name")
    body = text(f.get("protocol", "MQTT")) + bytes([f.number("level", level), f.number("flags", flags)])
    body += struct.pack(">H", f.number("keep-alive")) + (properties(f.all) if level == 5 else b"") + text(f.get("id"))
    if f.has("will-topic"):
        body += properties(f.all, "will.") if level == 5 else b""
        body += text(f.get("will-topic")) + text(f.get("will-payload"))
    for field in ("name", "password"):
        body += text(f.get(field)) if f.has(field) else b""
    return packet("connect", 0, body)


def encode(kind, words, level):
    """The bytes of a packet; `kind` may be `hex`, then `words` are its bytes."""
    if kind == "hex":
        return bytes.fromhex("".join(words))
    f = Fields(words)
    block = properties(f.all) if level == 5 else b""
    if kind == "connect":
        return _connect(f, level)
    identifier = struct.pack(">H", f.number("id", 1))
    if kind == "publish":
        qos = f.number("qos")
        flags = f.number("dup") << 3 | qos << 1 | f.number("retain")
        return packet(kind, flags, text(f.get("topic")) + (identifier if qos else b"") + block + raw(f.get("payload")))
    if kind in ("puback", "pubrec", "pubrel", "pubcomp"):
        code = bytes([f.number("code")]) if level == 5 and f.has("code") else b""
        return packet(kind, f.number("flags", 2 if kind == "pubrel" else 0), identifier + code)
    if kind in ("subscribe", "unsubscribe"):
        body = identifier + block
        for one in f.list("filter"):
            name, _, options = one.partition(",")
            body += text(name) + (bytes([int(options or "0", 0)]) if kind == "subscribe" else b"")
        return packet(kind, f.number("flags", 2), body)
    if kind in ("disconnect", "auth"):
        body = b"" if level < 5 or not f.all or f.all == [("flags", f.get("flags"))] else bytes([f.number("code")]) + block
        return packet(kind, f.number("flags"), body)
    return packet(kind, f.number("flags"), b"")


class _Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        piece = self.data[self.at:self.at + count]
        self.at += count
        return piece

    def number(self, size):
        return int.from_bytes(self.take(size), "big")

    def text(self):
        return self.take(self.number(2)).decode("utf-8", "backslashreplace")

    def variable(self):
        value, shift = 0, 0
        while True:
            byte = self.number(1)
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value

    def properties(self):
        found, end = [], self.variable()
        end += self.at
        while self.at < end:
            name, form = BY_ID[self.variable()]
            if form == "p":
                value = f"{self.text()}:{self.text()}"
            elif form == "s":
                value = self.text()
            else:
                value = str(self.variable() if form == "v" else self.number({"b": 1, "h": 2, "i": 4}[form]))
            found.append((name, value))
        return found

    @property
    def left(self):
        return len(self.data) - self.at


def decode(data, level):
    """(kind, [(field, value)…]) of one whole packet from a server."""
    kind, flags = TYPES[data[0] >> 4], data[0] & 15
    r = _Reader(data)
    r.at = 1
    r.variable()
    five = level == 5
    found = []
    if kind == "connack":
        found += [("flags", str(r.number(1))), ("code", str(r.number(1)))]
        found.insert(0, ("present", str(int(found[0][1]) & 1)))
    elif kind == "publish":
        qos = flags >> 1 & 3
        found += [("topic", r.text()), ("qos", str(qos)), ("retain", str(flags & 1)), ("dup", str(flags >> 3))]
        if qos:
            found.append(("id", str(r.number(2))))
        if five:
            found += r.properties()
        return kind, [*found, ("payload", r.take(r.left).decode("utf-8", "backslashreplace"))]
    elif kind in ("puback", "pubrec", "pubrel", "pubcomp"):
        found += [("id", str(r.number(2))), ("flags", str(flags)), ("code", str(r.number(1) if r.left else 0))]
    elif kind in ("suback", "unsuback"):
        found.append(("id", str(r.number(2))))
        if five:
            found += r.properties()
        codes = r.take(r.left)
        return kind, [*found, ("codes", ",".join(map(str, codes)))]
    elif kind in ("disconnect", "auth"):
        found.append(("code", str(r.number(1) if r.left else 0)))
    if five and r.left:
        found += r.properties()
    return kind, found


def split(data):
    """(whole packets, what is left)."""
    whole = []
    while True:
        size, shift, at = 0, 0, 1
        while at < len(data):
            size |= (data[at] & 0x7F) << shift
            shift += 7
            at += 1
            if not data[at - 1] & 0x80:
                break
        else:
            return whole, data
        if len(data) < at + size:
            return whole, data
        whole.append(data[:at + size])
        data = data[at + size:]
