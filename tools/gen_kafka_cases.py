"""C++ for the tests of the codecs: random values and equality of every message. Used by gen_kafka.py."""
from gen_kafka_schema import BANNER, INTEGERS, condition, guarded, snake


def random_field(field):
    target = f"out.{field.name}"
    simple = {"bool": "random.boolean()", "string": "random.string()", "bytes": "random.bytes()", "uuid": "random.uuid()",
              "float64": "random.float64()"}

    def item(place):
        if field.is_struct():
            return f"fill(random, {place}, version);"
        if field.item == "records" and field.message.kind == "response":
            return f"{place}.bytes = random.bytes();"
        if field.item in INTEGERS:
            return f"{place} = random.integer<std::{field.item}_t>();"
        return f"{place} = {simple.get(field.item, 'random.bytes()')};"

    out = []
    inner = f"{target}.value()" if field.nullable else target
    null_check = condition(field.nullable, field.versions) if field.nullable else None
    if field.nullable:
        out.append(f"if ({null_check + ' && ' if null_check else ''}random.null()) {{")
        out.append(f"  {target}.reset();")
        out.append("} else {")
        out.append(f"  {target}.emplace();")
    if field.array:
        out.append(f"  {inner}.resize(random.count());")
        out.append(f"  for (auto& item : {inner}) {{ {item('item')} }}")
    else:
        out.append(f"  {item(inner)}")
    if field.nullable:
        out.append("}")
    return guarded(field, out)


def equal_field(field):
    def item(a, b):
        if field.is_struct():
            return f"same({a}, {b})"
        if field.item in ("bytes", "records"):
            return f"same_bytes({a}, {b})"
        if field.item == "float64":
            return f"same_bits({a}, {b})"
        return f"{a} == {b}"

    a, b = f"a.{field.name}", f"b.{field.name}"
    if not field.array and not field.nullable:
        return item(a, b)
    call = "[](const auto& x, const auto& y) { return " + item("x", "y") + "; }"
    if field.array and field.nullable:
        return f"same_optional({a}, {b}, [](const auto& p, const auto& q) {{ return same_array(p, q, {call}); }})"
    return f"same_{'array' if field.array else 'optional'}({a}, {b}, {call})"


def emit_cases(unit, messages):
    apis = sorted({message.api for message in messages})
    out = [BANNER] + [f'#include "kafka/protocol/messages/{snake(api)}.h"' for api in apis]
    out += ['#include "kafka/testing/message_case.h"', "", "namespace millrace::kafka::testing {", "namespace {", ""]
    for message in messages:
        for struct in message.all_structs():
            unused = "[[maybe_unused]] "
            out.append(f"void fill({unused}RandomSource& random, {unused}{struct.cpp_name()}& out, {unused}int version) {{")
            for field in struct.fields:
                out += random_field(field)
            out.append("}")
            parts = [equal_field(field) for field in struct.fields] or ["true"]
            out.append(f"bool same({unused}const {struct.cpp_name()}& a, {unused}const {struct.cpp_name()}& b) {{")
            out.append("  return " + " &&\n         ".join(parts) + ";")
            out += ["}", ""]
        out.append(f"std::unique_ptr<AnyMessage> make_{message.name}() {{ return std::make_unique<Typed<{message.name}, "
                   f"[](RandomSource& r, {message.name}& m, int v) {{ fill(r, m, v); }}, "
                   f"[](const {message.name}& a, const {message.name}& b) {{ return same(a, b); }}>>(); }}")
    out += ["", "}  // namespace", "", f"void add_cases_{unit}(std::vector<MessageCase>& cases) {{"]
    for message in messages:
        out.append(f'  cases.push_back({{"{message.name}", {message.key}, {"true" if message.kind == "request" else "false"}, '
                   f"{message.versions[0]}, {message.versions[1]}, &make_{message.name}}});")
    return "\n".join(out + ["}", "", "}  // namespace millrace::kafka::testing", ""])


def emit_case_list(units):
    out = [BANNER, '#include "kafka/testing/message_case.h"', "", "namespace millrace::kafka::testing {", ""]
    out += [f"void add_cases_{unit}(std::vector<MessageCase>& cases);" for unit in units]
    out += ["", "const std::vector<MessageCase>& message_cases() {", "  static const std::vector<MessageCase> all = [] {",
            "    std::vector<MessageCase> cases;"]
    out += [f"    add_cases_{unit}(cases);" for unit in units]
    out += ["    return cases;", "  }();", "  return all;", "}"]
    return "\n".join(out + ["", "}  // namespace millrace::kafka::testing", ""])
