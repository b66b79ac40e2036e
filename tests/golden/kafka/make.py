#!/usr/bin/env python3
"""Writes frames.txt: one body per message and version, encoded by kafka-python 3 (pip install kafka-python), whose codecs are
independent of ours. Run by hand when a version is added:  python3 make.py ../../../schemas/kafka > frames.txt

A line is: message name, version, hex. Values count up, arrays have two items, every third nullable value is null, tagged fields
are present.
"""
import importlib
import json
import pkgutil
import sys
import uuid

import kafka
import kafka.protocol
from kafka.protocol.api_message import ApiMessage


def classes():
    for module in pkgutil.walk_packages(kafka.protocol.__path__, "kafka.protocol."):
        if ".old" not in module.name and "generate" not in module.name:
            importlib.import_module(module.name)
    found, queue = {}, [ApiMessage]
    while queue:
        for sub in queue.pop().__subclasses__():
            queue.append(sub)
            found[sub.__name__] = sub
    return found


class Counter:
    def __init__(self):
        self.value = 0

    def next(self):
        self.value += 1
        return self.value


def scalar(kind, counter):
    n = counter.next()
    return {"bool": n % 2 == 1, "string": f"text-{n}", "bytes": b"bytes-%d" % n, "records": b"records-%d" % n}.get(
        kind, bytes(range(n % 200, n % 200 + 16)) if kind == "uuid" else n % 100)


def fill(struct, data_class, version, counter):
    values = {}
    for field in struct._fields:
        if not field.for_version_q(version):
            continue
        nullable = field._nullable_versions and field._nullable_versions[0] <= version <= field._nullable_versions[1]
        if nullable and counter.next() % 3 == 0:
            values[field.name] = None
        elif field.is_struct_array():
            values[field.name] = [fill(field, field.data_class, version, counter) for _ in range(2)]
        elif field.is_struct():
            values[field.name] = fill(field, field.data_class, version, counter)
        elif field.type_str.startswith("[]"):
            values[field.name] = [scalar(field.type_str[2:], counter) for _ in range(2)]
        else:
            kind = field.type_str
            if field.name.endswith("authorized_operations"):
                values[field.name] = [3, 5]  # kafka-python shows the bits as a list
                continue
            value = scalar(kind, counter)
            if kind == "uuid":
                value = uuid.UUID(bytes=value)
            values[field.name] = value
    return values if data_class is None else data_class(version=version, **values)


def main():
    with open(sys.argv[1] + "/served.json", encoding="utf-8") as file:
        served = json.loads("\n".join(line for line in file if not line.strip().startswith("//")))
    found = classes()
    print(f"# kafka-python {kafka.__version__}; see make.py")
    for entry in served:
        first, last = (int(part) for part in entry["versions"].split("-"))
        for kind in ("Request", "Response"):
            name = entry["name"] + kind
            cls = found.get(name)
            if cls is None:
                print(f"# {name}: kafka-python has no codec")
                continue
            for version in range(first, min(last, cls._valid_versions[1]) + 1):
                message = fill(cls._struct, cls, version, Counter())
                flexible = cls.flexible_version_q(version)
                print(name, version, cls._struct.encode(message, version=version, compact=flexible, tagged=flexible).hex())


main()
