#!/usr/bin/env python3
"""Writes truth_table.test and random.test: what expressions of the rule language yield, worked out by a second evaluator that
shares nothing with the first (another language, another decimal arithmetic, a tree of tuples walked in the most obvious way).

The rules are those of docs/rules.md: coercions, three-valued logic, type-strict equality, 34-digit decimals rounded half to even.
Run it only when the language changes; its output is committed.
"""
import decimal
import json
import pathlib
import random
import re

UNDEFINED = object()
CONTEXT = decimal.Context(prec=34, rounding=decimal.ROUND_HALF_EVEN, Emax=999999, Emin=-999999,
                          traps=[decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow])
NUMBER_TEXT = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE]-?[0-9]+)?", re.ASCII)


class Number:
    """A decimal, and its text when no operator has touched it."""

    def __init__(self, value, text=None):
        self.value = value
        self.text = text if text is not None else number_text(value)


def number_text(value):
    if value == 0:
        value = decimal.Decimal(0)
    if value == value.to_integral_value(context=CONTEXT) and value.adjusted() < 34:
        return str(int(value))
    sign, digits, exponent = value.as_tuple()
    digits = "".join(map(str, digits))
    point = exponent + len(digits)
    minus = "-" if sign else ""
    if exponent <= 0 and point > 0:
        return minus + digits[:point] + ("." + digits[point:] if exponent else "")
    if exponent < 0 and point > -6:
        return minus + "0." + "0" * -point + digits
    mantissa = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
    return f"{minus}{mantissa}E{'+' if point - 1 >= 0 else ''}{point - 1}"


FIELDS = {
    "i": Number(decimal.Decimal(5), "5"), "d": Number(decimal.Decimal("2.50"), "2.50"),
    "w": Number(decimal.Decimal("10.0"), "10.0"), "neg": Number(decimal.Decimal(-3), "-3"),
    "z": Number(decimal.Decimal(0), "0"), "e": Number(decimal.Decimal("1.5E3"), "1.5E+3"),
    "big": Number(decimal.Decimal("12345678901234567890123456789"), "12345678901234567890123456789"),
    "ns": "7", "nd": "2.50", "s": "abc", "st": "true", "sf": "FALSE", "t": True, "f": False, "n": None,
    "a1": [1, 2], "a2": [1, 2], "o1": {"a": 1, "b": 2}, "o2": {"b": 2, "a": 1},
}
PAYLOAD = ('{"i":5,"d":2.50,"w":10.0,"neg":-3,"z":0,"e":1.5E+3,"big":12345678901234567890123456789,"ns":"7","nd":"2.50",'
           '"s":"abc","st":"true","sf":"FALSE","t":true,"f":false,"n":null,"a1":[1,2],"a2":[1,2.0],'
           '"o1":{"a":1,"b":2},"o2":{"b":2,"a":1.0}}')
RAW = {"a1": "[1,2]", "a2": "[1,2.0]", "o1": '{"a":1,"b":2}', "o2": '{"b":2,"a":1.0}'}


class Structure:
    """An array or object with its source text."""

    def __init__(self, name):
        self.value, self.text = FIELDS[name], RAW[name]


def to_number(value):
    if isinstance(value, str) and NUMBER_TEXT.fullmatch(value):
        try:
            value = bounded(CONTEXT.create_decimal(value))
        except decimal.Overflow:
            return None
    if not isinstance(value, Number):
        return None
    # Under 2016-03-23 a whole Decimal is an Int: 10.0 is 10.
    number = CONTEXT.plus(value.value)
    whole = number == number.to_integral_value(context=CONTEXT) and number.adjusted() < 34
    return decimal.Decimal(int(number)) if whole else number


def to_text(value):
    if value is UNDEFINED or value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    return value.text


def to_boolean(value):
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    return None


def bounded(value):
    if value != 0 and value.adjusted() > 999:
        return UNDEFINED
    if value != 0 and value.adjusted() < -999:
        return Number(decimal.Decimal(0))
    return Number(value)


def arithmetic(op, a, b):
    if op == "+" and (isinstance(a, str) or isinstance(b, str)):
        x, y = to_text(a), to_text(b)
        return UNDEFINED if x is None or y is None else x + y
    x, y = to_number(a), to_number(b)
    if x is None or y is None:
        return UNDEFINED
    try:
        if op == "+":
            return bounded(CONTEXT.add(x, y))
        if op == "-":
            return bounded(CONTEXT.subtract(x, y))
        if op == "*":
            return bounded(CONTEXT.multiply(x, y))
        if y == 0:
            return UNDEFINED
        if op == "%":
            return bounded(CONTEXT.remainder(x, y))
        quotient = CONTEXT.divide(x, y)
        if quotient.as_tuple().exponent < 0:
            quotient = quotient.normalize(CONTEXT)
            if quotient.as_tuple().exponent > 0:
                quotient = quotient.quantize(decimal.Decimal(1), context=CONTEXT)
        return bounded(quotient)
    except decimal.InvalidOperation:
        return UNDEFINED


def kind(value):
    if value is None:
        return "null"
    if isinstance(value, Structure):
        return type(value.value).__name__
    return type(value).__name__


def equal(a, b):
    if kind(a) != kind(b):
        return False
    if isinstance(a, (Number, Structure)):
        return a.value == b.value
    return a == b


def compare(op, a, b):
    if op in ("=", "<>"):
        if a is UNDEFINED or b is UNDEFINED:
            return UNDEFINED
        return equal(a, b) == (op == "=")
    x, y = to_number(a), to_number(b)
    if x is None or y is None:
        return UNDEFINED
    return {"<": x < y, "<=": x <= y, ">": x > y, ">=": x >= y}[op]


def logical(op, a, b):
    x, y = to_boolean(a), to_boolean(b)
    decides = op == "OR"
    if decides in (x, y):
        return decides
    return UNDEFINED if None in (x, y) else not decides


def evaluate(tree):
    if tree[0] == "field":
        name = tree[1]
        return Structure(name) if name in RAW else FIELDS.get(name, UNDEFINED)
    if tree[0] == "number":
        return Number(decimal.Decimal(tree[1]), tree[1])
    if tree[0] == "string":
        return tree[1]
    if tree[0] == "NOT":
        truth = to_boolean(evaluate(tree[1]))
        return UNDEFINED if truth is None else not truth
    op, a, b = tree[0], evaluate(tree[1]), evaluate(tree[2])
    if op in ("AND", "OR"):
        return logical(op, a, b)
    if op in ("=", "<>", "<", "<=", ">", ">="):
        return compare(op, a, b)
    return arithmetic(op, a, b)


def written(tree):
    if tree[0] in ("field", "number"):
        return tree[1]
    if tree[0] == "string":
        return f"'{tree[1]}'"
    if tree[0] == "NOT":
        return f"(NOT {written(tree[1])})"
    return f"({written(tree[1])} {tree[0]} {written(tree[2])})"


def shown(value):
    if value is UNDEFINED:
        return "undefined"
    if value is None:
        return "null"
    if isinstance(value, (Number, Structure)):
        return value.text
    return json.dumps(value, ensure_ascii=False)


def like(text, pattern):
    expression = "".join({"%": ".*", "_": "."}.get(c, re.escape(c)) for c in pattern)
    return re.fullmatch(expression, text, re.DOTALL) is not None


def extension(op, a, b):
    """a IN (b), a LIKE b, a BETWEEN b AND b, as docs/rules.md has them."""
    if op == "IN":
        return compare("=", a, b)
    if op == "BETWEEN":
        return logical("AND", compare("<=", b, a), compare("<=", a, b))
    x, y = to_text(a), to_text(b)
    return UNDEFINED if x is None or y is None else like(x, y)


def negated(value):
    return value if value is UNDEFINED else not value


# How each is written; its opposite has NOT in front of the word.
EXTENSIONS = {"IN": "{a} {op} ({b})", "LIKE": "{a} {op} {b}", "BETWEEN": "{a} {op} {b} AND {b}"}
OPERATORS = ["+", "-", "*", "/", "%", "=", "<>", "<", "<=", ">", ">=", "AND", "OR"]


def random_tree(rng, depth):
    if depth == 0 or rng.random() < 0.15:
        choice = rng.random()
        if choice < 0.6:
            return ("field", rng.choice(list(FIELDS) + ["absent"]))
        if choice < 0.9:
            scale = rng.choice(["", ".0", ".5", ".25", "00", "E3", "E-2", ".000000001"])
            return ("number", str(rng.randrange(0, 10 ** rng.choice([1, 1, 2, 9, 18, 19, 30]))) + scale)
        return ("string", rng.choice(["abc", "7", "-2.5", "true", "1E+3", "", " 7", "007", "1e2"]))
    if rng.random() < 0.1:
        return ("NOT", random_tree(rng, depth - 1))
    return (rng.choice(OPERATORS), random_tree(rng, depth - 1), random_tree(rng, depth - 1))


def main():
    here = pathlib.Path(__file__).parent
    head = "# Written by generate.py.\npayload " + PAYLOAD + "\n"
    table = head + "where too\n"
    names = list(FIELDS) + ["absent"]
    lines = [f"? NOT {a} => {shown(evaluate(('NOT', ('field', a))))}" for a in names]
    for op in OPERATORS:
        for a in names:
            for b in names:
                lines.append(f"? {a} {op} {b} => {shown(evaluate((op, ('field', a), ('field', b))))}")
    for written_as, op in (("==", "="), ("!=", "<>")):
        lines += [f"? {a} {written_as} {b} => {shown(evaluate((op, ('field', a), ('field', b))))}" for a in names for b in names]
    for op, form in EXTENSIONS.items():
        for a in names:
            for b in names:
                value = extension(op, evaluate(("field", a)), evaluate(("field", b)))
                lines.append(f"? {form.format(a=a, op=op, b=b)} => {shown(value)}")
                lines.append(f"? {form.format(a=a, op='NOT ' + op, b=b)} => {shown(negated(value))}")
    for a in names:
        nothing = evaluate(("field", a)) in (None, UNDEFINED)
        lines += [f"? {a} IS NULL => {shown(nothing)}", f"? {a} IS NOT NULL => {shown(not nothing)}"]
        lines.append(f"? {a} => {shown(evaluate(('field', a)))}")
    (here / "truth_table.test").write_text(table + "\n".join(lines) + "\n")
    rng = random.Random(20261121)
    lines = []
    while len(lines) < 4000:
        tree = random_tree(rng, rng.choice([1, 2, 3, 4]))
        lines.append(f"? {written(tree)} => {shown(evaluate(tree))}")
    (here / "random.test").write_text(head + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
