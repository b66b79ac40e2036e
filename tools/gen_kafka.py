#!/usr/bin/env python3
"""Kafka message descriptors (JSON) -> C++ codecs. Standard library only; runs as a build step (src/kafka/CMakeLists.txt).

  gen_kafka.py --schemas DIR --out DIR          write the files
  gen_kafka.py --schemas DIR --out DIR --list   print the files it would write, ';' between them: library;...|cases;...

For every message of served.json: <out>/kafka/protocol/messages/<name>.h with one struct for the request and one for the
response, nested structs inside; codecs in <unit>.cpp, a few messages each; api_keys.h with the table of keys. For tests and
the fuzz target: cases_<unit>.cpp with random values and equality.
Rules of the descriptors: https://github.com/apache/kafka/blob/trunk/clients/src/main/resources/common/message/README.md
"""
import argparse
import os
import sys

from gen_kafka_cases import emit_case_list, emit_cases
from gen_kafka_schema import BANNER, INTEGERS, NEVER, Message, condition, guarded, load, snake

CALLS = {"bool": "boolean", "float64": "float64", "uuid": "uuid"}  # of Decoder and Encoder, besides the integers'


# ---- structs -----------------------------------------------------------------------------------------------------------------

def emit_struct(struct, indent):
    out = [f"{indent}struct {struct.name} {{"]
    for field in struct.fields:
        note = f"{field.versions[0]}-{field.versions[1]}"
        if field.tagged:
            note += f", tag {field.tag}"
        out.append(f"{indent}  {field.cpp_type()} {field.name}{field.initializer()};  // {note}")
    out.append(f"{indent}}};")
    return out


def emit_header(messages):
    api = messages[0].api
    out = [BANNER + f"// {api}, key {messages[0].key}, versions {messages[0].versions[0]} to {messages[0].versions[1]}. "
           "Behind each field: the versions that carry it.", "#pragma once", "",
           "#include <cstdint>", "#include <optional>", "#include <string_view>", "#include <vector>", "",
           '#include "base/result.h"', '#include "kafka/protocol/decoder.h"', '#include "kafka/protocol/encoder.h"', "",
           "namespace millrace::kafka {", ""]
    for message in messages:
        out.append(f"struct {message.name} {{")
        for struct in message.all_structs()[:-1]:
            out += emit_struct(struct, "  ")
        out += emit_struct(message.root, "")[1:-1]
        out += ["", "  /// malformed when the bytes do not hold the message" +
                (" (what follows it is ignored)." if message.kind == "request" else " or hold more.") +
                " Views point into the frame.",
                f"  static Result<{message.name}> decode(ByteReader& reader, std::int16_t version);",
                "  void encode(Encoder& out, std::int16_t version) const;", "};", ""]
    return "\n".join(out + ["}  // namespace millrace::kafka", ""])


# ---- codecs ------------------------------------------------------------------------------------------------------------------

def read_item(field, target, decoder):
    if field.is_struct():
        return f"read({decoder}, {target}, version);"
    if field.item in INTEGERS:
        return f"{target} = {decoder}.be<std::{field.item}_t>();"
    if field.item in CALLS:
        return f"{target} = {decoder}.{CALLS[field.item]}();"
    if field.item == "records" and field.message.kind == "response":
        return f"{target}.bytes = {decoder}.bytes(flexible);"
    return f"{target} = {decoder}.{'string' if field.item == 'string' else 'bytes'}(flexible);"


def read_field(field, indent, decoder="in"):
    target = f"out.{field.name}"
    null_check = condition(field.nullable, field.versions) if field.nullable else None
    out = []
    if field.array:
        wire = field.message.structs[field.item].min_wire_all() if field.is_struct() else min(
            field.min_item_wire(v) for v in range(field.versions[0], field.versions[1] + 1))
        vector = f"{target}.value()" if field.nullable else target
        item_type = field.message.structs[field.item].cpp_name() if field.is_struct() else field.item_type()
        out.append(f"if (const auto n = {decoder}.count(flexible, {wire}, sizeof({item_type}))) {{")
        if field.nullable:
            out.append(f"  {target}.emplace();")
        out.append(f"  {vector}.resize(*n);")
        # By index and not by reference: nothing reads further once the frame failed.
        out.append(f"  for (auto& item : {vector}) {{ {read_item(field, 'item', decoder)} if (!{decoder}.ok()) break; }}")
        out.append("} else {")
        if field.nullable:
            out.append(f"  {target}.reset();")
            if null_check:
                out.append(f"  if (!({null_check})) {decoder}.fail();")
        else:
            out.append(f"  {decoder}.fail();")
        out.append("}")
    elif field.nullable and field.item in ("string", "bytes") or field.item == "records" and field.nullable:
        call = "nullable_string" if field.item == "string" else "nullable_bytes"
        if field.item == "records" and field.message.kind == "response":
            out.append(f"if (const auto view = {decoder}.nullable_bytes(flexible)) {target}.emplace().bytes = *view;")
            out.append(f"else {target}.reset();")
        else:
            out.append(f"{target} = {decoder}.{call}(flexible);")
        if null_check:
            out.append(f"if (!{target} && !({null_check})) {decoder}.fail();")
    else:
        out.append(read_item(field, target, decoder))
    return [indent + line for line in out]


def write_item(field, value, encoder):
    if field.is_struct():
        return f"write({encoder}, {value}, version);"
    if field.item in INTEGERS:
        return f"{encoder}.be({value});"
    if field.item in CALLS:
        return f"{encoder}.{CALLS[field.item]}({value});"
    if field.item == "records" and field.message.kind == "response":
        return f"{encoder}.records({value}, flexible);"
    return f"{encoder}.{'string' if field.item == 'string' else 'bytes'}({value}, flexible);"


def write_field(field, indent, encoder="out"):
    value = f"in.{field.name}"
    null_check = condition(field.nullable, field.versions) if field.nullable else None
    inner = f"{value}.value()" if field.nullable else value
    out = []
    if field.array:
        body = [f"{encoder}.count({inner}.size(), flexible);",
                f"for (const auto& item : {inner}) {write_item(field, 'item', encoder)}"]
        null = f"{encoder}.null_array(flexible);"
        empty = f"{encoder}.count(0, flexible);"
    else:
        body = [write_item(field, inner, encoder)]
        null = f"{encoder}.nullable_{'string' if field.item == 'string' else 'bytes'}(std::nullopt, flexible);"
        empty = f"{encoder}.{'string' if field.item == 'string' else 'bytes'}({{}}, flexible);"
    if field.nullable:
        out.append(f"if ({value}) {{")
        out += ["  " + line for line in body]
        # A version without null gets the empty value instead.
        if null_check:
            out.append(f"}} else if ({null_check}) {{")
            out.append(f"  {null}")
            out.append("} else {")
            out.append(f"  {empty}")
        else:
            out.append("} else {")
            out.append(f"  {null}")
        out.append("}")
    else:
        out += body
    return [indent + line for line in out]


def emit_codec(struct):
    message = struct.message
    flexible = message.flexible_expression()
    out = [f"void read(Decoder& in, {struct.cpp_name()}& out, [[maybe_unused]] int version) {{"]
    out.append(f"  [[maybe_unused]] const bool flexible = {flexible};")
    for field in struct.fields:
        if not field.tagged:
            out += guarded(field, read_field(field, ""))
    if flexible != "false":
        if struct.tags:
            out.append("  if (flexible) {")
            out.append("    in.tagged([&](std::uint32_t tag, [[maybe_unused]] Decoder& part) {")
            out.append("      switch (tag) {")
            for field in struct.tags:
                check = condition(field.versions, message.versions)
                out.append(f"        case {field.tag}: {{")
                if check:
                    out.append(f"          if (!({check})) return false;")
                out += read_field(field, "          ", "part")
                out += ["          return true;", "        }"]
            out += ["        default: return false;", "      }", "    });", "  }"]
        else:
            out.append("  if (flexible) in.skip_tagged();")
    out.append("}")
    if any(field.tagged and not field.array and field.item == struct.name for field in message.all_fields()):
        parts = [field.is_default(f"in.{field.name}") for field in struct.fields]
        out.append(f"bool is_default(const {struct.cpp_name()}& in) {{ return {' && '.join(parts)}; }}")
    out.append(f"void write(Encoder& out, const {struct.cpp_name()}& in, [[maybe_unused]] int version) {{")
    if not struct.fields:
        out.append("  (void)in;")
    out.append(f"  [[maybe_unused]] const bool flexible = {flexible};")
    for field in struct.fields:
        if not field.tagged:
            out += guarded(field, write_field(field, ""))
    if flexible != "false":
        if struct.tags:
            out.append("  if (flexible) {")
            wanted = []
            for field in struct.tags:
                check = condition(field.versions, message.versions)
                need = f"!({field.is_default('in.' + field.name)})"
                out.append(f"    const bool has_{field.name} = {check + ' && ' if check else ''}{need};")
                wanted.append(f"(has_{field.name} ? 1U : 0U)")
            out.append(f"    out.uvarint({' + '.join(wanted)});")
            for field in struct.tags:
                out.append(f"    if (has_{field.name}) {{")
                out.append(f"      out.tag({field.tag}, [&](Encoder& part) {{")
                out += write_field(field, "        ", "part")
                out += ["      });", "    }"]
            out.append("  }")
        else:
            out.append("  if (flexible) out.uvarint(0);")
    return out + ["}", ""]


def emit_unit(messages):
    apis = sorted({message.api for message in messages})
    out = [BANNER] + [f'#include "kafka/protocol/messages/{snake(api)}.h"' for api in apis]
    out += ["", "namespace millrace::kafka {", "namespace {", ""]
    for message in messages:
        for struct in message.all_structs():
            out += emit_codec(struct)
    out += ["}  // namespace", ""]
    for message in messages:
        out += [f"Result<{message.name}> {message.name}::decode(ByteReader& reader, std::int16_t version) {{",
                f"  Result<{message.name}> result;", "  Decoder in(reader);", "  read(in, *result, version);",
                # librdkafka 2.16 leaves three bytes behind a flexible Metadata request for all topics, and Apache Kafka
                # does not look behind the last field of a request.
                "  if (!reader.ok()) {" if message.kind == "request" else "  if (!reader.ok() || reader.remaining() != 0) {",
                f'    return fail(ErrorCode::malformed, "{message.name} does not follow its format");', "  }",
                "  return result;", "}",
                f"void {message.name}::encode(Encoder& out, std::int16_t version) const {{",
                "  write(out, *this, version);", "}", ""]
    return "\n".join(out + ["}  // namespace millrace::kafka", ""])


def emit_keys(apis):
    out = [BANNER + "// Every API that has a codec: key, name, versions, first flexible version (request header v2, KIP-482).",
           "#pragma once", "", "#include <cstdint>", "#include <string_view>", "", "namespace millrace::kafka {", "",
           "enum class ApiKey : std::int16_t {"]
    out += [f"  {snake(request.api)} = {request.key}," for request, _ in apis]
    out += ["};", "", "struct ApiCodec {", "  ApiKey key;", "  std::string_view name;", "  std::int16_t first;",
            "  std::int16_t last;", "  std::int16_t first_flexible;", "};", "", "inline constexpr ApiCodec kApiCodecs[] = {"]
    for request, response in apis:
        if request.flexible != response.flexible:
            sys.exit(f"{request.api}: request and response turn flexible at different versions")
        out.append(f'    {{ApiKey::{snake(request.api)}, "{request.api}", {request.versions[0]}, {request.versions[1]}, '
                   f"{min(request.flexible, NEVER - 1)}}},")
    return "\n".join(out + ["};", "", "}  // namespace millrace::kafka", ""])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--schemas", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    folder = os.path.join(options.out, "kafka", "protocol", "messages")
    served = load(os.path.join(options.schemas, "served.json"))
    units = sorted({entry["unit"] for entry in served})
    if options.list:
        library = [os.path.join(folder, snake(entry["name"]) + ".h") for entry in served] + [os.path.join(folder, "api_keys.h")]
        library += [os.path.join(folder, unit + ".cpp") for unit in units]
        cases = [os.path.join(folder, f"cases_{unit}.cpp") for unit in units] + [os.path.join(folder, "cases.cpp")]
        print(";".join(library) + "|" + ";".join(cases), end="")
        return
    apis = []
    for entry in served:
        apis.append(tuple(Message(load(os.path.join(options.schemas, entry["name"] + kind + ".json")), entry)
                          for kind in ("Request", "Response")))
    apis.sort(key=lambda api: api[0].key)
    files = {snake(request.api) + ".h": emit_header((request, response)) for request, response in apis}
    for unit in units:
        messages = [message for api in apis for message in api if message.unit == unit]
        files[unit + ".cpp"] = emit_unit(messages)
        files[f"cases_{unit}.cpp"] = emit_cases(unit, messages)
    files["cases.cpp"] = emit_case_list(units)
    files["api_keys.h"] = emit_keys(apis)
    os.makedirs(folder, exist_ok=True)
    for name, text in files.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    main()
