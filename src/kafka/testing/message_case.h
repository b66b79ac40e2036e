// What the tests and the fuzz target know about every message: its versions, random values, equality. Filled in by
// generated code.
#pragma once

#include <bit>
#include <deque>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/rng.h"
#include "kafka/protocol/decoder.h"
#include "kafka/protocol/encoder.h"

namespace millrace::kafka::testing {

/// Random field values; owns the text that the views in them point at. Edge values come often.
class RandomSource {
 public:
  explicit RandomSource(std::uint64_t seed) : rng_(seed) {}
  template <class T>
  T integer() {
    switch (rng_.below(8)) {
      case 0:
        return 0;
      case 1:
        return static_cast<T>(-1);
      case 2:
        return std::numeric_limits<T>::max();
      case 3:
        return std::numeric_limits<T>::min();
      default:
        return static_cast<T>(rng_() >> rng_.below(64));
    }
  }
  bool boolean() { return rng_.chance(1, 2); }
  double float64() { return std::bit_cast<double>(integer<std::uint64_t>()); }
  bool null() { return rng_.chance(1, 4); }
  std::size_t count() { return rng_.below(4); }
  UuidBytes uuid() {
    UuidBytes id;
    for (auto& byte : id) byte = static_cast<std::uint8_t>(rng_());
    return id;
  }
  std::string_view string() {
    std::string& text = texts_.emplace_back(rng_.chance(1, 16) ? 130 + rng_.below(300) : rng_.below(12), '\0');
    for (char& c : text) c = static_cast<char>('!' + rng_.below(90));
    return text;
  }
  ByteView bytes() { return as_bytes(string()); }

 private:
  Rng rng_;
  std::deque<std::string> texts_;
};

inline bool same_bytes(ByteView a, ByteView b) {
  return as_text(a) == as_text(b);
}
inline bool same_bytes(const RecordSet& a, const RecordSet& b) {
  return same_bytes(a.bytes, b.bytes);
}
/// By their bits: a NaN that comes back as it was sent is the same value.
inline bool same_bits(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}
template <class T, class Same>
bool same_array(const std::vector<T>& a, const std::vector<T>& b, Same same) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!same(a[i], b[i])) return false;
  }
  return true;
}
template <class T, class Same>
bool same_optional(const std::optional<T>& a, const std::optional<T>& b, Same same) {
  return a.has_value() == b.has_value() && (!a || same(*a, *b));
}

class AnyMessage {
 public:
  virtual ~AnyMessage() = default;
  virtual void fill(RandomSource& random, std::int16_t version) = 0;
  virtual bool encode(Buffer& out, std::int16_t version) const = 0;
  /// Replaces the value. The bytes must outlive it.
  virtual Result<void> decode(ByteView bytes, std::int16_t version) = 0;
  [[nodiscard]] virtual bool equals(const AnyMessage& other) const = 0;
};

template <class T, auto Fill, auto Same>
class Typed final : public AnyMessage {
 public:
  void fill(RandomSource& random, std::int16_t version) override {
    value_ = T{};
    Fill(random, value_, version);
  }
  bool encode(Buffer& out, std::int16_t version) const override {
    Encoder encoder(out);
    value_.encode(encoder, version);
    return encoder.ok();
  }
  Result<void> decode(ByteView bytes, std::int16_t version) override {
    ByteReader reader(bytes);
    MR_TRY_ASSIGN(value_, T::decode(reader, version));
    return {};
  }
  [[nodiscard]] bool equals(const AnyMessage& other) const override {
    return Same(value_, static_cast<const Typed&>(other).value_);
  }

 private:
  T value_;
};

struct MessageCase {
  std::string_view name;
  int key;
  bool request;
  std::int16_t first;
  std::int16_t last;
  std::unique_ptr<AnyMessage> (*make)();
};

/// Every request and response that has a codec.
const std::vector<MessageCase>& message_cases();

}  // namespace millrace::kafka::testing
