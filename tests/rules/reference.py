#!/usr/bin/env python3
"""The slow, obvious evaluator of the whole language against the real one, on random (rule, message) pairs.

    tests/rules/reference.py MILLRACE [PAIRS] [SEED]     or the variables MILLRACE, MILLRACE_RULE_PAIRS, MILLRACE_RULE_SEED

Writes random statements (SET, SELECT with *, AS a.b, VALUE and nested SELECT, CASE of both forms, IN, LIKE, BETWEEN, IS NULL,
FOREACH, functions, operators) and payloads, evaluates each pair by walking its tree as docs/rules.md reads, and asks
`MILLRACE rules test --batch -` for the same. Ends with 1 at the first batch with a difference and prints every one in it; the
seed repeats it.
It shares nothing with the real evaluator but the page; numbers, coercions and operators are generate.py's.
"""
import json
import os
import random
import subprocess
import sys

import generate as basics
from generate import UNDEFINED, Number, to_boolean, to_number

BATCH = 20_000


class Array:
    def __init__(self, items, text=None):
        self.items, self.source = items, text

    @property
    def text(self):
        if self.source is not None:
            return self.source
        return "[" + ",".join(shown(i) for i in self.items if i is not UNDEFINED) + "]"


class Object:
    def __init__(self, members, text=None):
        self.members, self.source = members, text

    @property
    def text(self):
        if self.source is not None:
            return self.source
        return "{" + ",".join(json.dumps(k) + ":" + shown(v) for k, v in self.members if v is not UNDEFINED) + "}"

    def get(self, name):
        found = [v for k, v in self.members if k == name]
        return found[-1] if found else UNDEFINED


def shown(value):
    if value is UNDEFINED:
        return ""
    if value is None:
        return "null"
    if isinstance(value, (Number, Array, Object)):
        return value.text
    return json.dumps(value, ensure_ascii=False)


def kind(value):
    if isinstance(value, (Array, Object, Number)):
        return type(value)
    return bool if isinstance(value, bool) else str if isinstance(value, str) else None


def equal(a, b):
    if kind(a) is not kind(b):
        return False
    if isinstance(a, Number):
        return to_number(a) == to_number(b)
    if isinstance(a, Array):
        x, y = [i for i in a.items if i is not UNDEFINED], [i for i in b.items if i is not UNDEFINED]
        return len(x) == len(y) and all(equal(i, j) for i, j in zip(x, y))
    if isinstance(a, Object):
        x, y = ({k: v for k, v in o.members if v is not UNDEFINED} for o in (a, b))
        return x.keys() == y.keys() and all(equal(x[k], y[k]) for k in x)
    return a == b


def compare(op, a, b):
    if op in ("=", "<>"):
        return UNDEFINED if a is UNDEFINED or b is UNDEFINED else equal(a, b) == (op == "=")
    return basics.compare(op, a, b)


def to_text(value):
    return None if value is UNDEFINED or value is None else basics.to_text(value)


def negated(value):
    truth = to_boolean(value)
    return UNDEFINED if truth is None else not truth


def like(text, pattern):
    """One row of the matrix per character of the pattern."""
    reach = [True] + [False] * len(text)
    for p in pattern:
        row = [reach[0] and p == "%"]
        for i, c in enumerate(text, 1):
            row.append((reach[i] or row[i - 1]) if p == "%" else reach[i - 1] and p in ("_", c))
        reach = row
    return reach[-1]


NOTHING = object()  # no element: null is one


class Scope:
    def __init__(self, message, variables=None, element=NOTHING, item=NOTHING):
        self.message, self.variables, self.element, self.item = message, variables or {}, element, item

    def inside(self, element):
        return Scope(self.message, self.variables, element, self.item)


def member(value, name):
    return value.get(name) if isinstance(value, Object) else UNDEFINED


def path(scope, names):
    if scope.element is not NOTHING:
        value = scope.element
    elif scope.item is not NOTHING and names[0] == "item":
        value, names = scope.item, names[1:]
    else:
        value = scope.message
    for name in names:
        value = member(value, name)
    return value


def call(name, args):
    if name == "isnull":
        return args[0] is None
    if name == "isundefined":
        return args[0] is UNDEFINED
    if name == "get":
        whole, key = args
        if isinstance(whole, Object):
            return whole.get(key) if isinstance(key, str) else UNDEFINED
        number = to_number(key)
        if number is None or number != int(number) or not isinstance(whole, (Array, str)):
            return UNDEFINED
        items = whole.items if isinstance(whole, Array) else whole
        return items[int(number)] if 0 <= number < len(items) else UNDEFINED
    text = to_text(args[0])
    if text is None:
        return UNDEFINED
    if name in ("upper", "lower"):
        return "".join(getattr(c, name)() if c.isascii() else c for c in text)
    if name == "length":
        return Number(basics.decimal.Decimal(len(text)))
    other = to_text(args[1])
    if other is None:
        return UNDEFINED
    return text.startswith(other) if name == "startswith" else text.endswith(other)


def select_items(scope, items, star):
    """Members in order; a dotted name makes objects on its way."""
    tree = [[k, v] for k, v in star.members] if star is not None else []

    def put(branch, names, value):
        found = [entry for entry in branch if entry[0] == names[0]]
        if not found:
            found = [[names[0], UNDEFINED]]
            branch.append(found[0])
        entry = found[-1]
        if len(names) == 1:
            entry[1] = value
            return
        if isinstance(entry[1], Object):
            entry[1] = [[k, v] for k, v in entry[1].members]
        if not isinstance(entry[1], list):
            entry[1] = []
        put(entry[1], names[1:], value)

    def closed(branch):
        return Object([(k, closed(v) if isinstance(v, list) else v) for k, v in branch])

    for names, tree_of in items:
        value = evaluate(scope, tree_of)
        if value is not UNDEFINED:
            put(tree, names, value)
    return closed(tree)


def nested(scope, tree):
    _, shape, items, source, where = tree
    whole = evaluate(scope, source)

    def one(element):
        inner = scope.inside(element)
        if where is not None and evaluate(inner, where) is not True:
            return UNDEFINED
        if shape == "value":
            return evaluate(inner, items[0][1])
        if shape == "star" and not items:
            return element
        if shape == "star" and not isinstance(element, Object):
            return UNDEFINED
        return select_items(inner, items, element if shape == "star" else None)

    if isinstance(whole, Object):
        return one(whole)
    if not isinstance(whole, Array):
        return UNDEFINED
    return Array([v for v in map(one, whole.items) if v is not UNDEFINED])


def evaluate(scope, tree):
    op = tree[0]
    if op == "path":
        return path(scope, tree[1])
    if op == "number":
        return Number(basics.decimal.Decimal(tree[1]), tree[1])
    if op in ("string", "constant"):
        return tree[1]
    if op == "variable":
        return scope.variables[tree[1]]
    if op == "array":
        return Array([v for v in (evaluate(scope, t) for t in tree[1]) if v is not UNDEFINED])
    if op == "object":
        return Object([(k, v) for k, v in ((k, evaluate(scope, t)) for k, t in tree[1]) if v is not UNDEFINED])
    if op == "NOT":
        return negated(evaluate(scope, tree[1]))
    if op in ("AND", "OR"):
        return basics.logical(op, evaluate(scope, tree[1]), evaluate(scope, tree[2]))
    if op == "call":
        return call(tree[1], [evaluate(scope, t) for t in tree[2]])
    if op == "in":
        value, found = evaluate(scope, tree[1]), False
        tests = [evaluate(scope, t) for t in tree[2]]
        outcomes = [compare("=", value, t) for t in tests]
        found = True if True in [o for o in outcomes if o is not UNDEFINED] else UNDEFINED if UNDEFINED in outcomes else False
        return found if not tree[3] else negated(found)
    if op == "like":
        text, pattern = to_text(evaluate(scope, tree[1])), to_text(evaluate(scope, tree[2]))
        found = UNDEFINED if text is None or pattern is None else like(text, pattern)
        return found if not tree[3] else negated(found)
    if op == "between":
        x, a, b = (evaluate(scope, t) for t in tree[1:4])
        found = basics.logical("AND", compare("<=", a, x), compare("<=", x, b))
        return found if not tree[4] else negated(found)
    if op == "isnull":
        value = evaluate(scope, tree[1])
        return (value is None or value is UNDEFINED) != tree[2]
    if op == "case":
        _, subject, branches, otherwise = tree
        value = evaluate(scope, subject) if subject is not None else None
        if subject is not None and value is UNDEFINED:
            return UNDEFINED
        for test, result in branches:
            tested = evaluate(scope, test)
            if tested is True if subject is None else tested is not UNDEFINED and equal(value, tested):
                return evaluate(scope, result)
        return UNDEFINED if otherwise is None else evaluate(scope, otherwise)
    if op == "select":
        return nested(scope, tree)
    a, b = evaluate(scope, tree[1]), evaluate(scope, tree[2])
    return compare(op, a, b) if op in ("=", "<>", "<", "<=", ">", ">=") else basics.arithmetic(op, a, b)


def written(tree):
    op = tree[0]
    if op == "path":
        return ".".join(tree[1])
    if op == "number":
        return tree[1]
    if op == "string":
        return "'" + tree[1].replace("'", "''") + "'"
    if op == "constant":
        return {None: "NULL", True: "true", False: "false"}[tree[1]]
    if op == "variable":
        return "@" + tree[1]
    if op == "array":
        return "[" + ", ".join(map(written, tree[1])) + "]"
    if op == "object":
        return "{" + ", ".join(f"'{k}': {written(t)}" for k, t in tree[1]) + "}"
    if op == "NOT":
        return f"(NOT {written(tree[1])})"
    if op == "call":
        return f"{tree[1]}(" + ", ".join(map(written, tree[2])) + ")"
    word = "NOT " if op in ("in", "like", "between") and tree[-1] else ""
    if op == "in":
        return f"({written(tree[1])} {word}IN (" + ", ".join(map(written, tree[2])) + "))"
    if op == "like":
        return f"({written(tree[1])} {word}LIKE {written(tree[2])})"
    if op == "between":
        return f"({written(tree[1])} {word}BETWEEN {written(tree[2])} AND {written(tree[3])})"
    if op == "isnull":
        return f"({written(tree[1])} IS {'NOT ' if tree[2] else ''}NULL)"
    if op == "case":
        subject = "" if tree[1] is None else " " + written(tree[1])
        branches = "".join(f" WHEN {written(t)} THEN {written(r)}" for t, r in tree[2])
        return f"(CASE{subject}{branches}{'' if tree[3] is None else ' ELSE ' + written(tree[3])} END)"
    if op == "select":
        _, shape, items, source, where = tree
        return f"(SELECT {projection(shape, items)} FROM {written(source)}" + (f" WHERE {written(where)})" if where else ")")
    return f"({written(tree[1])} {op} {written(tree[2])})"


def projection(shape, items):
    if shape == "value":
        return "VALUE " + written(items[0][1])
    return ", ".join((["*"] if shape == "star" else []) + [f"{written(t)} AS {'.'.join(names)}" for names, t in items])


NAMES = ["a", "b", "c", "t", "s", "list", "deep"]
WORDS = ["abc", "ab", "", "7", "-2.5", "true", "FALSE", "a%c", "_b", "it''s", "x y", "Zürich"]


class Writer:
    def __init__(self, rng):
        self.rng, self.variables, self.item = rng, [], False

    def path(self):
        names = [self.rng.choice(NAMES)]
        if self.item and self.rng.random() < 0.4:
            names = ["item"] + names
        while self.rng.random() < 0.3 and len(names) < 4:
            names.append(self.rng.choice(NAMES))
        return ("path", names)

    def leaf(self):
        choice = self.rng.random()
        if choice < 0.55:
            return self.path()
        if choice < 0.65 and self.variables:
            return ("variable", self.rng.choice(self.variables))
        if choice < 0.8:
            digits = str(self.rng.randrange(0, 10 ** self.rng.choice([1, 1, 2, 5, 19])))
            return ("number", digits + self.rng.choice(["", "", ".5", ".25", ".0"]))
        if choice < 0.93:
            return ("string", self.rng.choice(WORDS).replace("''", "'"))
        return ("constant", self.rng.choice([None, True, False]))

    def tree(self, depth, inside=0):
        rng = self.rng
        if depth <= 0 or rng.random() < 0.2:
            return self.leaf()
        sub = lambda: self.tree(depth - 1 - rng.randrange(2), inside)
        negative = rng.random() < 0.3
        choice = rng.random()
        if choice < 0.4:
            return (rng.choice(basics.OPERATORS), sub(), sub())
        if choice < 0.45:
            return ("NOT", sub())
        if choice < 0.55:
            return ("in", sub(), [sub() for _ in range(rng.randrange(1, 4))], negative)
        if choice < 0.6:
            return ("like", sub(), ("string", rng.choice(["%", "a%", "%b%", "_bc", "", "%7", "a_c", "a%c"])), negative)
        if choice < 0.65:
            return ("between", sub(), sub(), sub(), negative)
        if choice < 0.7:
            return ("isnull", sub(), negative)
        if choice < 0.8:
            subject = None if negative else sub()
            return ("case", subject, [(sub(), sub()) for _ in range(rng.randrange(1, 3))], sub() if rng.random() < 0.6 else None)
        if choice < 0.84:
            return ("array", [sub() for _ in range(rng.randrange(0, 3))])
        if choice < 0.88:
            return ("object", [(k, sub()) for k in rng.sample(NAMES, rng.randrange(0, 3))])
        if choice < 0.93 and inside < 3:
            return self.nested(depth - 1, inside)
        name = rng.choice(["isnull", "isundefined", "get", "upper", "lower", "length", "startswith", "endswith"])
        if name == "get":
            return ("call", name, [sub(), rng.choice([("number", str(rng.randrange(4))), ("string", rng.choice(NAMES))])])
        return ("call", name, [sub(), sub()] if name.endswith("with") else [sub()])

    def items(self, depth, inside=0):
        names = [[n] for n in self.rng.sample(["x", "y", "a", "t", "deep"], self.rng.randrange(1, 4))]
        for one in names:
            if self.rng.random() < 0.2:
                one.append(self.rng.choice(["x", "a"]))
        return [(n, self.tree(depth, inside)) for n in names]

    def nested(self, depth, inside):
        source = self.path() if self.rng.random() < 0.9 else self.tree(depth - 1, inside)
        if source[0] == "string":  # refused: it reads like a topic filter
            source = self.path()
        shape = self.rng.choice(["items", "star", "value"])
        item, self.item = self.item, False  # inside, every name is a member of the element
        items = [([], self.tree(depth, inside + 1))] if shape == "value" else self.items(depth, inside + 1)
        if shape == "star" and self.rng.random() < 0.4:
            items = []
        where = self.tree(depth, inside + 1) if self.rng.random() < 0.5 else None
        self.item = item
        return ("select", shape, items, source, where)

    def value(self, depth):
        """A payload's value."""
        rng, choice = self.rng, self.rng.random()
        if choice < 0.3:
            text = rng.choice(["0", "1", "2.50", "-3", "10.0", "7", str(rng.randrange(100)), "12345678901234567890.125"])
            return Number(basics.decimal.Decimal(text), text)
        if choice < 0.5:
            return rng.choice(WORDS).replace("''", "'")
        if choice < 0.6:
            return rng.choice([None, True, False])
        if depth == 0:
            return "leaf"
        if choice < 0.8:
            items = [self.value(depth - 1) for _ in range(rng.randrange(4))]
            return Array(items, "[" + ",".join(map(shown, items)) + "]")
        members = [(k, self.value(depth - 1)) for k in rng.sample(NAMES, rng.randrange(4))]
        return Object(members, "{" + ",".join(json.dumps(k) + ":" + shown(v) for k, v in members) + "}")


def random_message(writer):
    members = [(k, writer.value(2)) for k in writer.rng.sample(NAMES, writer.rng.randrange(1, 7))]
    return Object(members, "{" + ",".join(json.dumps(k) + ":" + shown(v) for k, v in members) + "}")


MESSAGES = 6  # of one rule


def pairs_of_a_rule(rng):
    """[(statement, payload, what is expected)]."""
    writer = Writer(rng)
    depth = rng.choice([1, 2, 2, 3])
    sets = []
    for name in rng.sample(["v", "w"], rng.choice([0, 0, 1, 2])):
        sets.append((name, writer.tree(depth)))
        writer.variables.append(name)
    where = writer.tree(depth) if rng.random() < 0.6 else None
    each = writer.path() if rng.random() < 0.2 else None
    writer.item = each is not None
    condition = writer.tree(depth) if each is not None and rng.random() < 0.5 else None
    shape = rng.choice(["items", "items", "star", "value"])
    items = [([], writer.tree(depth))] if shape == "value" else writer.items(depth)
    if shape == "star" and rng.random() < 0.3:
        items = []

    statement = "SET " + ", ".join(f"@{n} = {written(t)}" for n, t in sets) + " " if sets else ""
    if each is None:
        statement += f"SELECT {projection(shape, items)} FROM 'a/#'"
    else:
        taken = f" INCASE {written(condition)}" if condition else ""
        statement += f"FOREACH {written(each)} DO {projection(shape, items)}{taken} FROM 'a/#'"
    statement += f" WHERE {written(where)}" if where else ""

    def one(inner):
        if shape == "value":
            return shown(evaluate(inner, items[0][1]))
        if shape == "star" and not items:
            return inner.message.text
        return select_items(inner, items, inner.message if shape == "star" else None).text

    def expected_of(message):
        scope = Scope(message)
        for name, tree in sets:
            scope.variables[name] = evaluate(scope, tree)
        if where is not None and evaluate(scope, where) is not True:
            return None
        if each is None:
            return one(scope)
        whole = evaluate(scope, each)
        outputs = []
        for element in [] if whole is UNDEFINED else whole.items if isinstance(whole, Array) else [whole]:
            inner = Scope(message, scope.variables, NOTHING, element)
            if condition is None or evaluate(inner, condition) is True:
                outputs.append(one(inner))
        return outputs

    return [(statement, message, expected_of(message)) for message in (random_message(writer) for _ in range(MESSAGES))]


def line_of(expected):
    """As --batch writes it."""
    if expected is None:
        return None
    if isinstance(expected, list):
        return '{"matched":true,"output":null,"records":[' + ",".join(e if e else '""' for e in expected) + "]}"
    return '{"matched":true,"output":' + (expected if expected else '""') + "}"


def main():
    words = sys.argv[1:]
    program = words[0] if words else os.environ["MILLRACE"]
    pairs = int(words[1] if len(words) > 1 else os.environ.get("MILLRACE_RULE_PAIRS", "10000000"))
    seed = int(words[2] if len(words) > 2 else os.environ.get("MILLRACE_RULE_SEED", "1"))
    done = fired = 0
    while done < pairs:
        rng = random.Random(seed)
        cases = []
        while len(cases) < min(BATCH, pairs - done):
            cases += pairs_of_a_rule(rng)
        lines = "".join(json.dumps({"sql": s, "topic": "a/b", "payload": m.text, "timestamp": 1}) + "\n" for s, m, _ in cases)
        answers = subprocess.run([program, "rules", "test", "--batch", "-"], input=lines, capture_output=True, text=True,
                                 check=False).stdout.splitlines()
        wrong = 0
        for (statement, message, expected), answer in zip(cases, answers, strict=True):
            line = line_of(expected)
            fine = answer == line if line is not None else '"matched":false' in answer and '"error"' not in answer
            fired += line is not None
            if not fine:
                wrong += 1
                print(f"seed {seed}\n  {statement}\n  {message.text}\n  expected {line}\n  got      {answer}")
        if wrong:
            print(f"{wrong} of {len(cases)} pairs differ")
            return 1
        done += len(cases)
        seed += 1
        print(f"{done} pairs, {fired} of them fired: no difference", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
