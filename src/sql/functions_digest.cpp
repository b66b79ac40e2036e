// Message digests: lower-case hexadecimal digits of the argument's text.
#include <array>

#include "codec/digest.h"
#include "sql/evaluation.h"
#include "sql/function.h"
#include "sql/md2.h"

namespace millrace::sql {

namespace {

Value hex_of(Evaluation& evaluation, ByteView bytes) {
  static constexpr char kHex[] = "0123456789abcdef";
  char* const begin = evaluation.arena().text(bytes.size() * 2);
  char* to = begin;
  for (const std::uint8_t byte : bytes) {
    *to++ = kHex[byte >> 4U];
    *to++ = kHex[byte & 15U];
  }
  return Value::string({begin, bytes.size() * 2});
}

/// About ten nanoseconds per byte at most.
std::optional<ByteView> bytes_of(Evaluation& evaluation, const Value& value) {
  const auto text = to_text(evaluation.arena(), value);
  if (!text || !evaluation.spend(50 + text->size() / 2)) return std::nullopt;
  return as_bytes(*text);
}

template <DigestKind kKind>
Value hash(Evaluation& evaluation, const Call& call) {
  const auto bytes = bytes_of(evaluation, call.arguments[0]);
  if (!bytes) return {};
  const Digest result = digest(kKind, *bytes);
  return hex_of(evaluation, result.view());
}

Value md2_of(Evaluation& evaluation, const Call& call) {
  const auto bytes = bytes_of(evaluation, call.arguments[0]);
  // Its rounds take far longer than those of the others.
  if (!bytes || !evaluation.spend(bytes->size() * 15)) return {};
  return hex_of(evaluation, md2(*bytes));
}

constexpr Function row(std::string_view name, Value (*call)(Evaluation&, const Call&)) {
  return {.name = name, .min_arguments = 1, .max_arguments = 1, .call = call};
}

constexpr std::array kFunctions = {
    row("md2", md2_of),
    row("md5", hash<DigestKind::md5>),
    row("sha1", hash<DigestKind::sha1>),
    row("sha224", hash<DigestKind::sha224>),
    row("sha256", hash<DigestKind::sha256>),
    row("sha384", hash<DigestKind::sha384>),
    row("sha512", hash<DigestKind::sha512>),
};

}  // namespace

std::span<const Function> digest_functions() {
  return kFunctions;
}

}  // namespace millrace::sql
