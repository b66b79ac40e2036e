"""Packet scripts: what clients send and what they must get, a line a packet. tests/mqtt/README.md describes the language.

Used by the statements of the standard (mqtt_statements.py) and by the differential runs (tests/clients/mqtt_differential.py)."""
import re
import socket
import time
from pathlib import Path

from _packets import decode, encode, split

WAIT_S = 10


class Failed(Exception):
    """A step whose expectation was not met."""


class Case:
    """One case of a file: its identifiers by level, the tests elsewhere that it names, and its steps."""

    def __init__(self, path, number, head):
        self.path, self.number, self.steps = path, number, []
        marks, _, self.title = head.partition("|")
        words = marks.split()
        self.ids = {5: [w[2:] for w in words if w.startswith("5:")], 4: [w[2:] for w in words if w.startswith("3:")]}
        self.elsewhere = [w[3:] for w in words if w.startswith("by:")]
        self.levels = [level for level in (4, 5) if self.ids[level]] or [4, 5]
        self.title = self.title.strip()

    def name(self, level):
        return f"{'5.0' if level == 5 else '3.1.1'} {' '.join(self.ids[level])} ({self.title})"


def read(path):
    cases = []
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
        line = line.strip()
        if line.startswith("== "):
            cases.append(Case(Path(path), number, line[3:]))
        elif line and not line.startswith("#"):
            cases[-1].steps.append((number, line))
    return cases


class Client:
    """One connection of a script: packets out, packets in."""

    def __init__(self, port, level):
        self.level, self.data, self.packets, self.closed = level, b"", [], False
        self.socket = socket.create_connection(("127.0.0.1", int(port)), timeout=WAIT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError:
            self.closed = True

    def receive(self, wait_s=WAIT_S):
        """The next packet, None when the connection has ended; TimeoutError."""
        while not self.packets:
            if self.closed:
                return None
            self.socket.settimeout(max(wait_s, 0.001))
            try:
                piece = self.socket.recv(65536)
            except ConnectionError:
                piece = b""
            self.closed = not piece
            whole, self.data = split(self.data + piece)
            self.packets += [decode(one, self.level) for one in whole]
        return self.packets.pop(0)

    def close(self):
        self.socket.close()


def show(got):
    return "the end of the connection" if got is None else " ".join([got[0], *(f"{k}={v}" for k, v in got[1])])


class Run:
    """One case at one level against the server at `port`."""

    def __init__(self, case, level, port, prefix, versions=None):
        self.case, self.level, self.port, self.prefix = case, level, port, prefix
        self.clients, self.known, self.old = {}, {}, []
        self.versions = versions or {}

    def expand(self, word):
        word = word.replace("~", self.prefix)
        word = re.sub(r"\*(\d+)", lambda m: "x" * int(m[1]), word)
        return re.sub(r"\$(\w+)", lambda m: self.known.get(m[1], m[0]), word)

    def run(self):
        try:
            for number, line in self.case.steps:
                only = re.match(r"([45])\| *", line)
                if only:
                    if int(only[1]) != self.level:
                        continue
                    line = line[only.end():]
                try:
                    self.step(line)
                except TimeoutError:
                    raise Failed(f"{self.case.path.name}:{number}: {line}: nothing came") from None
                except Failed as failure:
                    raise Failed(f"{self.case.path.name}:{number}: {line}: {failure}") from None
        finally:
            for client in [*self.clients.values(), *self.old]:
                client.close()

    def step(self, line):
        words = line.split()
        if words[0] == "wait":
            time.sleep(float(words[1]))
            return
        who, what = words[0][:-1], words[0][-1]
        if what == ">":
            self.send(who, words[1:])
        elif what == "<":
            self.expect(who, words[1:])
        elif words[1] == "drop":
            self.clients.pop(words[0]).close()
        elif words[1] == "open":
            self.open(words[0])
        elif words[1] == "join":
            named = any(word.startswith("id=") for word in words)
            self.send(words[0], ["connect", *([] if named else [f"id=~{words[0]}"]), *words[2:]])
            self.expect(words[0], ["connack", "code=0"])
        elif words[1] == "sub":
            self.send(words[0], ["subscribe", "id=60000", *(f"filter={word}" for word in words[2:])])
            self.expect(words[0], ["suback", "id=60000"])
        else:
            raise Failed("not understood")

    def open(self, who):
        if who in self.clients:
            self.old.append(self.clients[who])
        self.clients[who] = Client(self.port, self.level)
        return self.clients[who]

    def send(self, who, words):
        client = self.clients.get(who)
        if client is None or (client.closed and words[0] == "connect"):
            client = self.open(who)
        client.send(encode(words[0], [self.expand(w) for w in words[1:]], self.level))

    def expect(self, who, words):
        client = self.clients[who]
        if words[0] == "nothing":  # whatever was on its way is in front of the answer
            client.send(encode("pingreq", [], self.level))
            words = ["pingresp"]
        got = client.receive()
        if words[0] == "closed":
            if got is not None:
                raise Failed(f"got {show(got)}")
            return
        if words[0] == "refused":  # 5 may be told why; then the end
            if got is not None and (got[0] not in ("disconnect", "connack") or self.level == 4 and got[0] == "disconnect"):
                raise Failed(f"got {show(got)}")
            code = dict(got[1])["code"] if got else None
            if len(words) > 1 and self.level == 5 and code != str(int(words[1], 0)):
                raise Failed(f"got {show(got)}")
            if got is not None and client.receive() is not None:
                raise Failed("goes on")
            return
        if got is None or got[0] != words[0]:
            raise Failed(f"got {show(got)}")
        for word in words[1:]:
            self.compare(got, word)

    def compare(self, got, word):
        name, _, wanted = word.partition("=")
        values = [v for k, v in got[1] if k == name.lstrip("!")]
        if name.startswith("!"):
            if values:
                raise Failed(f"there is {name[1:]}: {show(got)}")
            return
        if not values:
            raise Failed(f"no {name}: {show(got)}")
        if wanted.startswith("$") and wanted[1:] not in self.known:
            self.known[wanted[1:]] = values[0]
            return
        wanted = self.expand(wanted)
        bound = re.match(r"(<=|>=)(\d+)$", wanted)
        if bound:
            good = int(values[0]) <= int(bound[2]) if bound[1] == "<=" else int(values[0]) >= int(bound[2])
        else:
            good = ";".join(values) == (str(int(wanted, 0)) if re.match(r"0x[0-9a-fA-F]+$", wanted) else wanted)
        if not good:
            raise Failed(f"{name} is {';'.join(values)[:200]}: {show(got)[:300]}")
