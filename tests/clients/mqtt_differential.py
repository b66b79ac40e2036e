#!/usr/bin/env python3
"""The same seeded packet scripts to millrace, Mosquitto and mochi, answer for answer; every difference must be one that a clause
of the standard explains (LINES, ANSWERS; the table in docs/mqtt-conformance.md). Then the scripts of the statements to the
others: which broker does not do what a statement says. `mqtt_differential.py SEEDS [FIRST]`; MILLRACE_SEEDS."""
# timeout: 1200
import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scenarios"))
import _packet_script  # noqa: E402
from _packet_script import Client  # noqa: E402
from _packets import encode  # noqa: E402
from _server import SOURCE, Server, check, scratch, skip, wait_until  # noqa: E402

SEEDS = int(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("MILLRACE_SEEDS", "20"))
FIRST = int(sys.argv[2]) if len(sys.argv) > 2 else 1
STEPS, QUIET_S, SLOW_S, ANSWER_S = 30, 0.03, 0.25, 5
TOPICS = ("t", "t/a", "t/b", "u/a/x")
FILTERS = ("t", "t/+", "t/#", "+/a", "u/a/x", "#", "$share/g/t/a")
FIELDS = ("topic", "qos", "retain", "dup", "payload", "code", "codes", "present", "user", "content-type", "response-topic",
          "correlation", "format", "subscription-id")


def script(seed):
    """[(client, step…)…]: what a client sends does not depend on what it gets, but for acknowledgements."""
    draw = random.Random(seed)
    levels = {name: draw.choice((4, 5)) for name in "abc"}
    up, steps = set(), []
    while len(steps) < STEPS:
        who = draw.choice("abc")
        if who not in up:
            clean, expiry, will = draw.randrange(2), draw.choice((0, 1000)), draw.random() < 0.2
            words = [f"clean={clean}", f"session-expiry={expiry}"]
            if will:
                words += [f"will-topic=~{draw.choice(TOPICS)}", f"will-payload=w{len(steps)}", f"will-qos={draw.randrange(3)}",
                          f"will-retain={draw.randrange(2)}"]
            steps.append((who, "connect", words))
            up.add(who)
            continue
        kind = draw.choice(("subscribe",) * 3 + ("publish",) * 6 + ("unsubscribe", "disconnect", "drop", "takeover"))
        if kind == "subscribe":
            one = draw.choice(FILTERS)
            shared = one.startswith("$share")
            options = draw.randrange(3)
            if levels[who] == 5:
                options |= (0 if shared else draw.randrange(2) << 2) | draw.randrange(2) << 3 | draw.randrange(3) << 4
            if shared and levels[who] == 4:
                continue  # a plain topic filter for 3.1.1, says the one half of the brokers
            one = f"$share/g/~{one[9:]}" if shared else f"~{one}"
            words = [f"filter={one},{options}"]
            if levels[who] == 5 and draw.random() < 0.3:
                words.append(f"subscription-id={draw.randrange(1, 9)}")
            steps.append((who, kind, words))
        elif kind == "unsubscribe":
            steps.append((who, kind, [f"filter=~{draw.choice(FILTERS[:6])}"]))
        elif kind == "publish":
            payload = "" if draw.random() < 0.1 else f"p{len(steps)}"
            words = [f"topic=~{draw.choice(TOPICS)}", f"qos={draw.randrange(3)}", f"retain={int(draw.random() < 0.3)}",
                     f"payload={payload}"]
            if levels[who] == 5 and draw.random() < 0.3:
                words += ["user=k:v", "content-type=c", "response-topic=r", "correlation=d", "format=1"][:draw.randrange(6)]
            steps.append((who, kind, words))
        elif kind == "takeover":
            steps.append((who, "connect", ["clean=0", "session-expiry=1000"]))
        else:
            steps.append((who, kind, []))
            up.discard(who)
    return levels, steps


class Player:
    """One script against one broker: after each step, what every client got until it was quiet."""

    def __init__(self, port, seed, quiet_s=QUIET_S, prefix="d"):
        self.port, self.quiet_s, self.prefix = port, quiet_s, f"{prefix}{seed}/"
        self.levels, self.steps = script(seed)
        self.clients, self.identifier, self.gone = {}, 0, []

    def send(self, who, kind, words):
        if kind == "connect":
            if who in self.clients:
                self.gone.append(self.clients[who])
            self.clients[who] = Client(self.port, self.levels[who])
            words = [*words, f"id={self.prefix}{who}"]
        elif kind in ("publish", "subscribe", "unsubscribe"):
            self.identifier += 1
            words = [*words, f"id={self.identifier}"]
        client = self.clients[who]
        client.send(encode(kind, [word.replace("~", self.prefix) for word in words], client.level))

    def gather(self, who):
        """The canonical lines of what came, acknowledged as a good client does."""
        client, lines = self.clients[who], []
        while True:
            try:
                got = client.receive(0)
            except TimeoutError:
                return lines
            if got is None:
                return [*lines, "closed"]
            kind, fields = got[0], dict(got[1])
            lines.append(" ".join([kind, *sorted(f"{k}={v}" for k, v in got[1] if k in FIELDS)]).replace(self.prefix, "~"))
            answer = {"publish": {"1": "puback", "2": "pubrec"}.get(fields.get("qos")), "pubrec": "pubrel", "pubrel": "pubcomp"}
            if answer.get(kind) and int(fields.get("code", 0)) < 128:
                client.send(encode(answer[kind], [f"id={fields['id']}"], client.level))

    def answer(self, who, kind, words):
        """What comes until the step is answered: a disk may take its time."""
        wanted = {"connect": "connack", "subscribe": "suback", "unsubscribe": "unsuback"}.get(kind)
        if kind == "publish":
            wanted = (None, "puback", "pubcomp")[int(field(" ".join(words), "qos"))]
        lines, deadline = [], time.monotonic() + ANSWER_S
        while wanted and time.monotonic() < deadline:
            lines += self.gather(who)
            if any(line.startswith((wanted, "closed")) for line in lines):
                break
            time.sleep(0.002)
        return lines

    def play(self):
        story = []
        try:
            for who, kind, words in self.steps:
                if kind == "drop" and who in self.clients:
                    self.clients.pop(who).close()
                elif who in self.clients or kind == "connect":
                    self.send(who, kind, words)
                heard = {who: self.answer(who, kind, words)} if who in self.clients else {}
                for _ in range(2):  # what one client acknowledges moves another
                    time.sleep(self.quiet_s)
                    for name in sorted(self.clients):
                        heard.setdefault(name, []).extend(self.gather(name))
                for name in [n for n, lines in heard.items() if "closed" in lines]:
                    self.clients.pop(name).close()
                if kind == "disconnect" and who in self.clients:
                    self.clients.pop(who).close()
                story.append(heard)
        finally:
            for client in [*self.clients.values(), *self.gone]:
                client.close()
        return story


def play_all(ports, seed, quiet_s, prefix):
    with ThreadPoolExecutor() as pool:
        started = {name: pool.submit(Player(port, seed, quiet_s, prefix).play) for name, port in ports.items()}
        return {name: one.result() for name, one in started.items()}


def field(line, name):
    return next((word.split("=", 1)[1] for word in line.split() if word.startswith(name + "=")), None)


def publishes(lines):
    return [line for line in lines if line.startswith("publish ")]


def without(line, *names):
    return " ".join(word for word in line.split() if word.split("=")[0] not in names)


def by_topic(lines):
    """Only the order within a topic and quality counts [MQTT-4.6.0-6]."""
    return sorted(lines, key=lambda line: (line.split()[0], field(line, "topic") or "", field(line, "qos") or ""))


def is_acknowledgement(line):
    return line.startswith(("puback ", "pubrec ", "pubcomp "))


# What one line may say otherwise: a name, the clause, and the line without it.
LINES = [
    ("0x10 No matching subscribers", "3.4.2.1: a server may use it instead of 0x00",
     lambda line: line.replace("code=16", "code=0") if is_acknowledgement(line) else line),
    ("mochi: 0x01 and the message's user properties in an acknowledgement", "3.4.2-1: 0x01 is no reason of PUBACK",
     lambda line: without(line, "user").replace("code=1", "code=0") if is_acknowledgement(line) else line),
    ("mochi: UNSUBACK with 0x00 for a filter that was not subscribed", "3.11.3: 0x11",
     lambda line: "unsuback" if line.startswith("unsuback") else line),
    ("mochi: retained messages without subscription identifier", "3.3.4-3",
     lambda line: without(line, "subscription-id") if "retain=1" in line else line),
]


def merged(lines):
    return {without(line, "subscription-id", "qos", "dup", "retain") for line in publishes(lines)}


def others(lines):
    return sorted(line for line in lines if not line.startswith(("publish ", "pubrel ")))


def only_differ_in(lines, others_, wanted):
    more = (Counter(lines) - Counter(others_)) + (Counter(others_) - Counter(lines))
    return all(line.startswith("publish ") and wanted in line for line in more if not line.startswith("pubrel "))


def lower(ours, theirs, _step):
    def keys(lines):
        return Counter((field(line, "topic"), field(line, "payload")) for line in publishes(lines))

    def total(lines):
        return sum(int(field(line, "qos")) for line in publishes(lines))
    return keys(ours) == keys(theirs) and total(ours) > total(theirs) and others(ours) == others(theirs)


def options(step):
    return next((int(word.rsplit(",", 1)[1]) for word in step[2] if word.startswith("filter=") and "," in word), 0)


def subscribed(step):
    """(filter, whether No Local) of what the client did so far, when it is its own message that is looked at."""
    who, kind, _, before, client = step
    if kind != "publish" or who != client:
        return []
    return [(words[0].split(",")[0], bool(options((name, did, words)) & 4)) for name, did, words in before
            if name == who and did == "subscribe"]


def no_local_replaced(ours, theirs, step):
    changed = [one for one, local in subscribed(step) if (one, not local) in subscribed(step)]
    return changed and only_differ_in(ours, theirs, "")


def no_local_overlapping(ours, theirs, step):
    fewer = not Counter(theirs) - Counter(ours)
    return any(local for _, local in subscribed(step)) and fewer and only_differ_in(ours, theirs, "")


def taken_over_wills(before):
    """Topics on which the retained will of a displaced connection stands, with who publishes wills then."""
    wills, topics = {}, set()
    for who, kind, words in before:
        if kind in ("disconnect", "drop"):
            wills.pop(who, None)
        if kind == "connect":
            if who in wills:
                topics.add(wills.pop(who))
            text = " ".join(words)
            if field(text, "will-retain") == "1":
                wills[who] = field(text, "will-topic")
    return topics


def retained_will(ours, theirs, step):
    topics = taken_over_wills(step[3])
    more = (Counter(ours) - Counter(theirs)) + (Counter(theirs) - Counter(ours))
    return topics and all(field(line, "topic") in topics and field(line, "retain") == "1"
                          for line in more if not line.startswith("pubrel "))


# What whole answers may differ in: a name, the clause, whether it explains (ours, theirs, step); True: the states stay the same.
# A step is (who, what, words, the steps before, whose answer it is).
ANSWERS = [
    ("order of retained messages", "3.3.1.3 names none", lambda o, t, _: sorted(o) == sorted(t), True),
    ("QoS 0 for who was away", "3.1.2.5: storing QoS 0 is optional", lambda o, t, _: only_differ_in(o, t, "qos=0"), True),
    ("mosquitto: retained messages for a shared subscription", "4.8.2: none are sent",
     lambda o, t, step: any("$share" in word for word in step[2]) and only_differ_in(o, t, "retain=1"), True),
    ("mochi: no retained message of one's own with No Local", "3.3.1-9: Retain Handling 0 sends them",
     lambda o, t, step: step[1] == "subscribe" and options(step) & 4 and only_differ_in(o, t, "retain=1"), True),
    ("mochi: retained message of the level above #", "4.7.1.2: # is its parent level too",
     lambda o, t, step: any("/#," in word for word in step[2]) and only_differ_in(o, t, "retain=1"), True),
    ("mosquitto: no will at a take-over", "3.1.4.3: the will of the displaced connection is published",
     lambda o, t, step: step[1] == "connect" and only_differ_in(o, t, "payload=w"), True),
    ("mosquitto: no retained will after a take-over", "3.1.4.3, 3.1.2-17: that will is retained", retained_will, True),
    ("mosquitto: No Local of before when a subscription is replaced", "3.8.4-3: the new one takes its place",
     no_local_replaced, True),
    ("mochi: No Local of one subscription for all that overlap", "3.8.3-3: it is an option of one subscription",
     no_local_overlapping, True),
    ("mochi: session present after one that ended", "3.1.2.11.2: with expiry 0 a session ends with its connection",
     lambda o, t, step: step[1] == "connect" and [line.replace("present=0", "present=1") for line in o] == t[:1], False),
    ("mosquitto: lower QoS where subscriptions overlap", "3.3.4-2: the highest QoS of those that match", lower, False),
    ("copies for overlapping subscriptions", "3.3.4, 4.8.2: one with all identifiers or one each; shared ones apart",
     lambda o, t, _: merged(o) == merged(t) and others(o) == others(t), False),
]


def explained(ours, theirs, step, counts):
    """Whether both may be said, and whether the states are the same afterwards."""
    for name, _, same in LINES:
        before = ours, theirs
        ours, theirs = [same(line) for line in ours], [same(line) for line in theirs]
        if before != (ours, theirs) and before[0] != before[1]:
            counts[name] += 1
        if by_topic(ours) == by_topic(theirs):
            return True, True
    for name, _, explains, goes_on in ANSWERS:
        if explains(ours, theirs, step):
            counts[name] += 1
            return True, goes_on
    return False, False


def compare(seed, ours, theirs, counts):
    """The first difference that nothing explains, or None."""
    _, steps = script(seed)
    for number, (step, mine, other) in enumerate(zip(steps, ours, theirs)):
        for name in sorted(set(mine) | set(other)):
            one, two = mine.get(name, []), other.get(name, [])
            if by_topic(one) == by_topic(two):  # 4.6: only messages of one topic and quality have an order
                continue
            good, goes_on = explained(one, two, (*step, steps[:number], name), counts)
            if not good:
                who, kind, words = step
                return f"seed {seed}, {who} {kind} {' '.join(words)}: client {name}\n  ours:   {one}\n  theirs: {two}"
            if not goes_on:
                return None
    return None


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def mosquitto():
    if not shutil.which("mosquitto"):
        return None
    port, config = free_port(), scratch() / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_inflight_messages 0\nset_tcp_nodelay true\n")
    return subprocess.Popen(["mosquitto", "-c", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL), port


def mochi():
    if not shutil.which("go"):
        return None
    folder, quiet = SOURCE / "build" / "clients-matrix" / "mochi", {**os.environ, "GOFLAGS": "-mod=mod", "CGO_ENABLED": "0"}
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(Path(__file__).with_name("mochi") / "main.go", folder)
    get = [["go", "mod", "init", "peer"], ["go", "get", "github.com/mochi-mqtt/server/v2@v2.7.9"]]
    for command in [*([] if (folder / "go.sum").exists() else get), ["go", "build", "-p", "1", "-o", "mochi", "."]]:
        if subprocess.run(command, cwd=folder, env=quiet, capture_output=True, timeout=600, check=False).returncode != 0:
            return None
    port = free_port()
    return subprocess.Popen([folder / "mochi", f"127.0.0.1:{port}"], stdin=subprocess.PIPE), port


def statements(name, port):
    failed = []
    files = sorted((SOURCE / "tests" / "mqtt" / "statements").glob("*.txt"))
    for case in [case for file in files for case in _packet_script.read(file) if case.steps]:
        for level in case.levels:
            try:
                _packet_script.WAIT_S = 3
                _packet_script.Run(case, level, port, f"{name}{case.path.stem}{case.number}-{level}/").run()
            except (_packet_script.Failed, OSError):
                failed.append(f"{'5' if level == 5 else '3'}:{' '.join(case.ids[level])}")
    return failed


def main():
    peers = {name: made for name, made in (("mosquitto", mosquitto()), ("mochi", mochi())) if made}
    if not peers:
        skip("neither mosquitto nor go is here")
    server = Server(config="mqtt.subscribe.denied: [denied/x]\n").start()
    unexplained = []
    try:
        for _, port in peers.values():
            wait_until(lambda: listening(port), "the peer listens")
        counts = {name: Counter() for name in peers}
        ports = {"ours": server.port("mqtt"), **{name: port for name, (_, port) in peers.items()}}
        for seed in range(FIRST, FIRST + SEEDS):
            stories = play_all(ports, seed, QUIET_S, "d")
            for name in peers:
                fault = compare(seed, stories["ours"], stories[name], counts[name])
                if fault:  # once more, slowly: the machine may have stood still
                    again = play_all({"ours": ports["ours"], name: ports[name]}, seed, SLOW_S, f"{name}-")
                    fault = compare(seed, again["ours"], again[name], counts[name])
                if fault:
                    unexplained.append(f"{name}: {fault}")
                    print(unexplained[-1], flush=True)
        for name in peers:
            print(f"{name}: {SEEDS} scripts; explained: {dict(counts[name])}", flush=True)
        if "NO_STATEMENTS" not in os.environ:
            for name, (_, port) in peers.items():
                failed = statements(name, port)
                print(f"{name} does not answer {len(failed)} cases as they are written: {' '.join(failed)}", flush=True)
        check(server.stop() == 0, "clean stop")
    finally:
        server.abandon()
        for process, _ in peers.values():
            process.kill()
            process.wait()
    check(not unexplained, f"{len(unexplained)} differences that no clause explains")


main()
