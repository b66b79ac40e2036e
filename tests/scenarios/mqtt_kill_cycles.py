"""kill -9 under everything that MQTT promises to keep: QoS 1 and 2 both ways, sessions that are connected and away, subscriptions
that change, retained messages, wills. Clients keep the journal and go on after each kill as the standard tells them to.

Nothing acknowledged is lost, no QoS 2 message comes twice, no subscription is missing, every will of a client that was connected
is published once. MILLRACE_KILL_CYCLES=500 for more than a few."""
import json
import os
import random
import threading
import time

from _crash import verify
from _packet_script import Client, show
from _packets import encode
from _server import Server, check, scratch, wait_until

CYCLES = int(os.environ.get("MILLRACE_KILL_CYCLES", "12"))
SEED = int(os.environ.get("MILLRACE_SEED", "1"))
CONFIG = "topics: [{name: unused, partitions: 1}]\n"
WINDOW, RETAINED_TOPICS, QUIET_S = 20, 5, 1.5


class Member:
    """A client with a session that outlives every crash."""

    def __init__(self, name, *words):
        self.name, self.words, self.client, self.known, self.thread = name, words, None, False, None

    def send(self, kind, *words):
        self.client.send(encode(kind, words, 5))

    def connect(self, port, *words):
        self.client = Client(port, 5)
        self.send("connect", f"id={self.name}", "clean=0", "session-expiry=100000", "receive-maximum=100", *self.words, *words)
        kind, fields = self.client.receive(30) or ("nothing", [])
        present = dict(fields).get("present")
        check(kind == "connack", f"{self.name}: {kind} instead of connack")
        self.resumed(present == "1")

    def resumed(self, present):
        check(present == self.known, f"{self.name}: session present {present}")
        self.known = True

    def start(self, port):
        self.connect(port)
        self.thread = threading.Thread(target=self.loop, daemon=True)
        self.thread.start()

    def loop(self):
        """Until the connection ends: whatever is expected comes, or nothing for a while."""
        try:
            self.begin()
            while self.step():
                pass
        except (TimeoutError, OSError):
            pass
        except Exception as failure:  # noqa: BLE001 shown by join
            self.fault = repr(failure)

    fault = None

    def join(self):
        self.thread.join(60)
        check(not self.thread.is_alive(), f"{self.name} hangs")
        check(self.fault is None, f"{self.name}: {self.fault}")
        self.client.close()

    def begin(self):
        pass


class Publisher(Member):
    """Numbered messages of one QoS. `acknowledged` are those the server vouched for."""

    def __init__(self, name, qos):
        super().__init__(name)
        self.qos, self.next, self.next_id, self.acknowledged = qos, 0, 0, set()
        self.waiting, self.released = {}, {}  # by packet identifier, in the order sent
        self.more = True

    def resumed(self, present):
        """A session that holds nothing may be gone: then what waits for PUBCOMP is over, and what is open is sent as new."""
        if not present:
            self.released.clear()

    def publish(self, packet_id, number, dup):
        self.send("publish", f"topic=q{self.qos}/{number % 3}", f"qos={self.qos}", f"id={packet_id}", f"dup={dup}",
                  f"payload={number}")

    def begin(self):
        for packet_id, number in self.waiting.items():
            self.publish(packet_id, number, 1)
        for packet_id in self.released:
            self.send("pubrel", f"id={packet_id}")

    def step(self):
        while self.more and len(self.waiting) + len(self.released) < WINDOW:
            self.next_id = self.next_id % 60_000 + 1
            self.waiting[self.next_id] = self.next
            self.next += 1
            self.publish(self.next_id, self.waiting[self.next_id], 0)
        if not self.waiting and not self.released:
            return False
        got = self.client.receive(30)
        if got is None:
            return False
        packet_id = int(dict(got[1]).get("id", 0))
        if got[0] in ("puback", "pubrec"):
            check(dict(got[1])["code"] in ("0", "16", "145"), f"{self.name}: {show(got)}")
            if packet_id in self.waiting:
                number = self.waiting.pop(packet_id)
                self.acknowledged.add(number)
                if self.qos == 2:
                    self.released[packet_id] = number
            if self.qos == 2:
                self.send("pubrel", f"id={packet_id}")
        elif got[0] == "pubcomp":
            self.released.pop(packet_id, None)
        return True


class Subscriber(Member):
    """Remembers how often each message came; of QoS 2 an identifier counts once until PUBREL, as for every client."""

    def __init__(self, name, *filters):
        super().__init__(name)
        self.filters, self.seen, self.owned = list(filters), {}, set()
        self.last_at = time.monotonic()

    def step(self):
        got = self.client.receive(600)
        if got is None:
            return False
        kind, fields = got[0], dict(got[1])
        self.last_at = time.monotonic()
        if kind == "publish":
            key = (fields["topic"], fields["payload"])
            if fields["qos"] != "2" or fields["id"] not in self.owned:
                self.seen[key] = self.seen.get(key, 0) + 1
            if fields["qos"] == "1":
                self.send("puback", f"id={fields['id']}")
            elif fields["qos"] == "2":
                self.owned.add(fields["id"])
                self.send("pubrec", f"id={fields['id']}")
        elif kind == "pubrel":
            self.owned.discard(fields["id"])
            self.send("pubcomp", f"id={fields['id']}")
        return True

    def subscribe(self, port):
        self.connect(port)
        for one in self.filters:
            self.send("subscribe", "id=1", f"filter={one}")
            check(self.client.receive(30)[0] == "suback", "SUBACK")
        self.client.close()


class Changer(Member):
    """Subscribes and unsubscribes: what was acknowledged must be there after every crash, what was in doubt may be."""

    def __init__(self, name):
        super().__init__(name)
        self.sure, self.doubt, self.number = set(), None, 0

    def step(self):
        self.number += 1
        if len(self.sure) > 20:
            one = min(self.sure)
            self.doubt = ("unsubscribe", one)
        else:
            one = f"change/{self.number:06}"
            self.doubt = ("subscribe", one)
        self.send(self.doubt[0], "id=7", f"filter={one},1" if self.doubt[0] == "subscribe" else f"filter={one}")
        if self.client.receive(30) is None:
            return False
        (self.sure.add if self.doubt[0] == "subscribe" else self.sure.discard)(one)
        self.doubt = None
        return True

    def compare(self, server):
        _, body = server.http(f"/api/v1/mqtt/sessions/{self.name}")
        there = {one["filter"] for one in json.loads(body)["subscriptions"]}
        doubtful = {self.doubt[1]} if self.doubt else set()
        check(there - doubtful == self.sure - doubtful, f"subscriptions: {sorted(there ^ self.sure)} differ")
        if self.doubt and self.doubt[1] in there:
            self.sure.add(self.doubt[1])
        elif self.doubt:
            self.sure.discard(self.doubt[1])
        self.doubt = None


class Retainer(Publisher):
    """Sets retained messages; what is read back is the newest acknowledged value of each topic, or one in doubt."""

    def __init__(self, name):
        super().__init__(name, 1)

    def publish(self, packet_id, number, dup):
        self.send("publish", f"topic=kept/{number % RETAINED_TOPICS}", "qos=1", "retain=1", f"id={packet_id}", f"dup={dup}",
                  f"payload={number}")

    def compare(self, port):
        reader = Client(port, 5)
        reader.send(encode("connect", ["id=kept-reader"], 5) + encode("subscribe", ["id=1", "filter=kept/+,1"], 5))
        reader.receive(30), reader.receive(30)
        expected = {n % RETAINED_TOPICS for n in self.acknowledged}
        found = {}
        while len(found) < len(expected):
            fields = dict(reader.receive(30)[1])
            found[int(fields["topic"][5:])] = int(fields["payload"])
        reader.close()
        for topic in expected:
            least = max(n for n in self.acknowledged if n % RETAINED_TOPICS == topic)
            check(topic in found and found[topic] >= least, f"kept/{topic} is {found.get(topic)}, {least} was acknowledged")


class Wills:
    """Clients that only have a will. Each is connected when the server dies, and its will must come once; or breaks off before,
    or says DISCONNECT and must be silent."""

    def __init__(self, draw):
        self.draw, self.clients, self.due, self.never, self.maybe, self.number = draw, [], set(), set(), set(), 0

    def start(self, port):
        self.clients = []
        for kind in ("stays", "clean", "polite", "breaks"):
            self.number += 1
            name = f"{kind}-{self.number}"
            client = Client(port, 5)
            expiry = 0 if kind == "clean" else 1000
            client.send(encode("connect", [f"id={name}", f"session-expiry={expiry}", f"will-topic=wills/{name}",
                                           "will-payload=gone", "will-qos=2"], 5))
            got = client.receive(30)
            check(got and dict(got[1])["code"] == "0", f"{name} connects")
            if kind == "polite":
                client.send(encode("disconnect", [], 5))
                check(client.receive(30) is None, "closed after DISCONNECT")
                self.never.add(name)
            else:
                self.due.add(name)
            self.clients.append((kind, client))

    def strike(self):
        for kind, client in self.clients:
            if kind == "breaks" and self.draw.random() < 0.5:
                client.close()

    def end(self):
        for _, client in self.clients:
            client.close()

    def check(self, seen):
        count = {name: seen.get((f"wills/{name}", "gone"), 0) for name in self.due | self.never}
        lost = sorted(name for name in self.due if count[name] == 0)
        check(not lost, f"{len(lost)} wills were never published: {lost[:10]}")
        twice = sorted(name for name in count if count[name] > 1)
        check(not twice, f"wills published twice: {twice[:10]}")
        check(not any(count[name] for name in self.never), "the will of a client that said DISCONNECT")


def run(server):
    draw = random.Random(SEED)
    publishers = [Publisher("one", 1), Publisher("two", 2)]
    retainer, changer, wills = Retainer("retainer"), Changer("changer"), Wills(draw)
    once = Subscriber("once", "q2/+,2", "wills/+,2")
    least = Subscriber("least", "q1/#,1")
    away = Subscriber("away", "q1/+,1", "q2/#,2")  # connected in every third life
    server.start()
    for subscriber in (once, least, away):
        subscriber.subscribe(server.port("mqtt"))
    for cycle in range(CYCLES):
        port = server.port("mqtt")
        members = [*publishers, retainer, changer, once, least, *([away] if cycle % 3 == 2 else [])]
        for member in members:
            member.start(port)
        wills.start(port)
        before = sum(len(p.acknowledged) for p in publishers)
        enough = before + draw.randrange(60, 160)
        wait_until(lambda: sum(len(p.acknowledged) for p in publishers) >= enough, "messages are acknowledged")
        time.sleep(draw.random() * 0.05)
        wills.strike()
        server.kill()
        for member in members:
            member.join()
        wills.end()
        server.start()
        changer.compare(server)
        retainer.compare(server.port("mqtt"))
    port = server.port("mqtt")
    for member in (*publishers, retainer):
        member.more = False
    for member in (*publishers, retainer, once, least, away):
        member.start(port)
    for member in (*publishers, retainer):
        member.join()

    def settled():
        there = [sum(1 for topic, _ in list(s.seen) if topic.startswith(what)) for s, what in
                 ((least, "q1/"), (once, "q2/"), (away, "q1/"), (away, "q2/"))]
        wanted = [publishers[0].next, publishers[1].next, publishers[0].next, publishers[1].next]
        return there == wanted and not (wills.due - {t[6:] for t, _ in list(once.seen) if t.startswith("wills/")})

    deadline = time.monotonic() + 60
    while not settled() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(QUIET_S)  # what must not come has its chance
    for subscriber, qos in ((least, 1), (once, 2), (away, 1), (away, 2)):
        publisher = publishers[qos - 1]
        got = {int(payload): count for (topic, payload), count in subscriber.seen.items() if topic.startswith(f"q{qos}/")}
        lost = sorted(publisher.acknowledged - set(got))
        check(not lost, f"{subscriber.name}: QoS {qos} acknowledged and lost: {len(lost)}, {lost[:10]}")
        twice = sorted(n for n, count in got.items() if count > 1)
        check(qos == 1 or not twice, f"{subscriber.name}: QoS 2 more than once: {len(twice)}, {twice[:10]}")
    wills.check(once.seen)
    status = server.stop()
    check(status == 0, f"clean stop: {status}")
    for subscriber in (once, least, away):
        subscriber.join()
    verify(server.data)
    one, two = (len(publisher.acknowledged) for publisher in publishers)
    print(f"{CYCLES} x kill -9: {one} QoS 1 and {two} QoS 2 messages to three sessions, {len(retainer.acknowledged)} retained, "
          f"{changer.number} changes of subscriptions, {len(wills.due)} wills due and {len(wills.never)} not: nothing lost, no "
          "QoS 2 message and no will twice")


def main():
    scratch()
    server = Server(config=CONFIG, options=["--set", "mqtt.sys.interval.ms=0"])
    try:
        run(server)
    finally:
        server.abandon()


main()
