// Protobuf: the first byte chooses. Even: a message of car.Trip, which a second, slow and obvious reader must read the
// same. Odd: two bytes of size, that many bytes of a descriptor, and a message: what is written is JSON, and no larger
// than its bytes and names justify.
#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "codec/base64.h"
#include "sql/json_document.h"
#include "sql/protobuf_schema.h"
#include "sql/testing/protobuf_encoding.h"
#include "sql/value.h"

namespace {

using millrace::sql::Arena;
using millrace::sql::JsonDocument;
using millrace::sql::ProtobufSchema;
using millrace::sql::TextWriter;

// The obvious reader: one byte at a time, everything kept, numbers of descriptor.proto for types.

struct Raw {
  std::uint32_t wire = 0;
  std::uint64_t value = 0;
  std::string bytes;
};
using Raws = std::map<std::uint32_t, std::vector<Raw>>;

struct Input {
  std::string bytes;
  std::size_t at = 0;
  bool broken = false;

  [[nodiscard]] bool done() const { return broken || at >= bytes.size(); }
  std::uint64_t byte() {
    if (at >= bytes.size()) broken = true;
    return broken ? 0 : static_cast<std::uint8_t>(bytes[at++]);
  }
  std::uint64_t varint() {
    std::uint64_t out = 0;
    for (unsigned i = 0; i < 10; ++i) {
      const std::uint64_t next = byte();
      out |= (next & 127U) << (7 * i);
      if (next < 128) return out;
    }
    broken = true;
    return 0;
  }
  std::uint64_t fixed(unsigned count) {
    std::uint64_t out = 0;
    for (unsigned i = 0; i < count; ++i) out |= byte() << (8 * i);
    return out;
  }
  Raw raw(std::uint32_t wire) {
    Raw out;
    out.wire = wire;
    if (wire == 0) out.value = varint();
    if (wire == 1) out.value = fixed(8);
    if (wire == 5) out.value = fixed(4);
    if (wire == 2) {
      const std::uint64_t size = varint();
      for (std::uint64_t i = 0; i < size && !broken; ++i) out.bytes += static_cast<char>(byte());
    }
    if (wire > 5 || wire == 3 || wire == 4) broken = true;
    return out;
  }
  std::pair<std::uint32_t, std::uint32_t> tag() {
    const std::uint64_t value = varint();
    if (value > 0xFFFFFFFFU || value < 8) broken = true;
    return {static_cast<std::uint32_t>(value >> 3U), static_cast<std::uint32_t>(value & 7U)};
  }
  void skip_group(std::uint32_t number, int depth) {
    if (depth > 64) broken = true;
    while (!broken) {
      const auto [inner, wire] = tag();
      if (broken) return;
      if (wire == 4) {
        if (inner != number) broken = true;
        return;
      }
      if (wire == 3) {
        skip_group(inner, depth + 1);
      } else {
        raw(wire);
      }
    }
  }
};

std::optional<Raws> raws_of(const std::string& bytes) {
  Input in{bytes};
  Raws out;
  while (!in.done()) {
    const auto [number, wire] = in.tag();
    if (in.broken) break;
    if (wire == 3) {
      in.skip_group(number, 1);
    } else {
      out[number].push_back(in.raw(wire));
    }
  }
  if (in.broken) return std::nullopt;
  return out;
}

struct Member {
  std::uint32_t number;
  const char* name;
  int type;
  bool repeated = false;
};
const std::vector<Member> kPlace = {{1, "lat", 1}, {2, "lon", 2}, {3, "next", 11}};
// 100: a map of strings to int32; 101: a map of Booleans to places.
const std::vector<Member> kTrip = {{1, "id", 9},
                                   {2, "speed", 5},
                                   {3, "big", 4},
                                   {4, "delta", 18},
                                   {5, "at", 11},
                                   {6, "samples", 13, true},
                                   {7, "names", 9, true},
                                   {8, "ok", 8},
                                   {9, "raw", 12},
                                   {10, "color", 14},
                                   {11, "labels", 100},
                                   {12, "stamp", 6},
                                   {13, "small", 17},
                                   {14, "reals", 1, true},
                                   {15, "places", 11, true},
                                   {16, "flags", 101},
                                   {17, "below", 15},
                                   {18, "signed", 3},
                                   {19, "half", 2},
                                   {20, "colors", 14, true}};

template <class T>
std::string digits(T value) {
  std::array<char, 32> text{};
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}
template <class T>
std::string real(T value) {
  if (std::isnan(value)) return "\"NaN\"";
  if (std::isinf(value)) return value < 0 ? "\"-Infinity\"" : "\"Infinity\"";
  return digits(value);
}
std::string quoted(const std::string& text) {
  Arena arena;
  TextWriter out(arena);
  millrace::sql::write_json_string(out, text);
  return std::string(out.view());
}

std::uint32_t wire_of(int type) {
  if (type == 1 || type == 6 || type == 16) return 1;
  if (type == 2 || type == 7 || type == 15) return 5;
  return type == 9 || type == 11 || type == 12 || type >= 100 ? 2 : 0;
}

std::optional<std::string> message_of(const std::vector<Member>& members, const std::string& bytes, int depth);

std::optional<std::string> one_of(int type, const Raw& raw, int depth) {
  const std::uint64_t v = raw.value;
  const auto low = static_cast<std::uint32_t>(v);
  switch (type) {
    case 1:
      return real(std::bit_cast<double>(v));
    case 2:
      return real(std::bit_cast<float>(low));
    case 3:
      return digits(static_cast<std::int64_t>(v));
    case 4:
    case 6:
      return digits(v);
    case 5:
    case 15:
      return digits(static_cast<std::int32_t>(low));
    case 8:
      return v != 0 ? "true" : "false";
    case 9:
      return quoted(raw.bytes);
    case 11:
      return message_of(kPlace, raw.bytes, depth + 1);
    case 12:
      return '"' + millrace::to_base64(millrace::as_bytes(raw.bytes)) + '"';
    case 13:
      return digits(low);
    case 14:
      return low == 0 ? "\"RED\"" : low == 7 ? "\"BLUE\"" : digits(static_cast<std::int32_t>(low));
    case 17:
      return digits(low % 2 == 0 ? static_cast<std::int64_t>(low / 2) : -static_cast<std::int64_t>(low / 2) - 1);
    default:
      return digits(v % 2 == 0 ? static_cast<std::int64_t>(v / 2) : -static_cast<std::int64_t>(v / 2) - 1);
  }
}

std::optional<std::string> map_of(int type, const std::vector<Raw>& pairs, int depth) {
  const int key_type = type == 100 ? 9 : 8;
  const int value_type = type == 100 ? 5 : 11;
  std::string out;
  for (const Raw& pair : pairs) {
    auto parts = raws_of(pair.bytes);
    if (!parts) return std::nullopt;
    Raw key;
    Raw value;
    for (const Raw& raw : (*parts)[1]) key = raw.wire == wire_of(key_type) ? raw : key;
    for (const Raw& raw : (*parts)[2]) value = raw.wire == wire_of(value_type) ? raw : value;
    const auto name = one_of(key_type, key, depth);
    const auto what = one_of(value_type, value, depth);
    if (!name || !what) return std::nullopt;
    out += (out.empty() ? "" : ",") + (type == 100 ? *name : '"' + *name + '"') + ":" + *what;
  }
  return "{" + out + "}";
}

std::optional<std::string> list_of(const Member& member, const std::vector<Raw>& raws, int depth) {
  std::string out;
  const std::uint32_t wire = wire_of(member.type);
  const auto add = [&](const Raw& raw) {
    const auto text = one_of(member.type, raw, depth);
    if (text) out += (out.empty() ? "" : ",") + *text;
    return text.has_value();
  };
  for (const Raw& raw : raws) {
    if (wire == 2 || raw.wire != 2) {
      if (!add(raw)) return std::nullopt;
      continue;
    }
    for (Input packed{raw.bytes}; !packed.done();) {
      const Raw number = packed.raw(wire);
      if (packed.broken || !add(number)) return std::nullopt;
    }
  }
  return "[" + out + "]";
}

std::optional<std::string> message_of(const std::vector<Member>& members, const std::string& bytes, int depth) {
  if (depth > ProtobufSchema::kMaxDepth) return std::nullopt;
  auto raws = raws_of(bytes);
  if (!raws) return std::nullopt;
  std::string out;
  for (const Member& member : members) {
    auto& all = (*raws)[member.number];
    const bool packs = member.repeated && wire_of(member.type) != 2;
    std::erase_if(all, [&](const Raw& raw) { return raw.wire != wire_of(member.type) && !(packs && raw.wire == 2); });
    if (all.empty()) continue;
    std::optional<std::string> text;
    if (member.type >= 100) {
      text = map_of(member.type, all, depth);
    } else if (member.repeated) {
      text = list_of(member, all, depth);
    } else {
      Raw last = all.back();
      if (member.type == 11) last.bytes.clear();
      for (const Raw& raw : all) {
        if (member.type == 11) last.bytes += raw.bytes;
      }
      text = one_of(member.type, last, depth);
    }
    if (!text) return std::nullopt;
    out += (out.empty() ? "\"" : ",\"") + std::string(member.name) + "\":" + *text;
  }
  return "{" + out + "}";
}

void must(bool holds) {
  if (!holds) std::abort();
}

/// A copy of its own size, so that a sanitizer sees every byte read behind it.
struct Exact {
  explicit Exact(std::string_view text) : bytes(text.begin(), text.end()) {}
  [[nodiscard]] std::string_view view() const { return {bytes.data(), bytes.size()}; }
  std::vector<char> bytes;
};

void known_schema(std::string_view message) {
  static const auto schema =
      ProtobufSchema::parse(millrace::as_bytes(millrace::sql::testing::trip_descriptor())).value();
  const Exact exact(message);
  Arena arena;
  TextWriter out(arena);
  const bool read = schema->write_json("car.Trip", exact.view(), arena, out);
  if (out.overflowed()) return;
  const auto expected = message_of(kTrip, std::string(message), 0);
  must(read == expected.has_value() && (!read || out.view() == *expected));
}

void any_schema(std::string_view descriptor, std::string_view message) {
  const Exact exact_descriptor(descriptor);
  const auto schema = ProtobufSchema::parse(millrace::as_bytes(exact_descriptor.view()));
  if (!schema) {
    must(!schema.error().detail.empty());
    return;
  }
  constexpr std::size_t kMost = 8;
  std::vector<std::string> names = (*schema)->messages();
  if (names.size() > kMost) names.resize(kMost);
  const Exact exact(message);
  for (const std::string& name : names) {
    must((*schema)->has(name));
    Arena arena;
    TextWriter out(arena);
    if (!(*schema)->write_json(name, exact.view(), arena, out)) continue;
    JsonDocument document;
    document.set_max_depth(JsonDocument::kMaxDepth);
    must(document.parse(out.view()));
    // A field takes two bytes at least; each writes its name once, escaped to six characters a byte at worst, and
    // defaults of a map's pair no more than an enum's name.
    must(out.size() <= 64 + (message.size() + 1) * (8 * descriptor.size() + 64));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 2 == 0) {
    known_schema(rest);
    return 0;
  }
  if (rest.size() < 2) return 0;
  const std::size_t length = static_cast<std::uint8_t>(rest[0]) * std::size_t{256} + static_cast<std::uint8_t>(rest[1]);
  rest.remove_prefix(2);
  const std::size_t cut = std::min(length, rest.size());
  any_schema(rest.substr(0, cut), rest.substr(cut));
  return 0;
}
