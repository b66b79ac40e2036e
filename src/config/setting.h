// Setting: one row of a settings table. The row is the only place a key is declared; parser, error texts, printing and
// the reference page come from it.
//
//   const config::Schema<Settings> kSchema({
//       config::integer<Settings>("num.partitions", [](Settings& s) -> auto& { return s.partitions; }, {1, 10'000},
//                                 "Partitions of a topic made without saying how many."),
//   });
//
// The default of a key is what a default-constructed settings object holds.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "config/node.h"

namespace millrace::config {

/// Everything wrong with a document, each with its line.
class Problems {
 public:
  struct Problem {
    int line;  // 0: not from a document
    std::string text;
  };
  void add(const Node& at, std::string text) { list_.push_back({at.line, std::move(text)}); }
  [[nodiscard]] bool empty() const { return list_.empty(); }
  [[nodiscard]] const std::vector<Problem>& list() const { return list_; }

 private:
  std::vector<Problem> list_;
};

/// "'key' is not a known key, did you mean 'other'?"
std::string unknown_key(std::string_view key, const std::vector<std::string>& known);

enum class Kind : std::uint8_t { boolean, integer, bytes, duration, text, choice, custom };

struct Range {
  std::int64_t min = 0;
  std::int64_t max = std::numeric_limits<std::int64_t>::max();
};

struct Setting {
  using Slot = std::variant<bool*, std::int32_t*, std::int64_t*, std::uint64_t*, std::optional<std::int64_t>*,
                            std::chrono::milliseconds*, std::string*, std::monostate>;
  std::string_view key;
  Kind kind = Kind::text;
  std::function<Slot(void* settings)> slot;
  Range range;
  std::vector<std::string_view> choices;
  std::string_view sentence;
  std::string_view type_name;     // custom: for the reference page
  std::string_view default_note;  // the reference page's words when the default depends on the machine
  bool secret = false;
  std::function<void(void* settings, const Node&, Problems&)> read;  // custom
  std::function<std::string(const void* settings)> print;            // custom

  /// Never printed.
  [[nodiscard]] Setting hidden() && {
    secret = true;
    return std::move(*this);
  }
  [[nodiscard]] Setting defaults_to(std::string_view note) && {
    default_note = note;
    return std::move(*this);
  }
};

/// The value as a configuration file would have it; secrets as "(hidden)"; an optional without value as "".
std::string print_value(const Setting& setting, const void* settings);
/// The same without units and quotes: sizes in bytes, durations in milliseconds, as other programs read them.
std::string plain_value(const Setting& setting, const void* settings);

template <class S, class Get>
Setting make_setting(Kind kind, std::string_view key, Get get, std::string_view sentence) {
  Setting row;
  row.key = key;
  row.kind = kind;
  row.sentence = sentence;
  row.slot = [get](void* settings) { return Setting::Slot(&get(*static_cast<S*>(settings))); };
  return row;
}

template <class S, class Get>
Setting boolean(std::string_view key, Get get, std::string_view sentence) {
  return make_setting<S>(Kind::boolean, key, get, sentence);
}
template <class S, class Get>
Setting text(std::string_view key, Get get, std::string_view sentence) {
  return make_setting<S>(Kind::text, key, get, sentence);
}
template <class S, class Get>
Setting choice(std::string_view key, Get get, std::vector<std::string_view> choices, std::string_view sentence) {
  Setting row = make_setting<S>(Kind::choice, key, get, sentence);
  row.choices = std::move(choices);
  return row;
}
/// integer, bytes ("64MiB") and duration ("5s", or milliseconds): -1 is allowed where the range begins with it.
template <class S, class Get>
Setting integer(std::string_view key, Get get, Range range, std::string_view sentence) {
  Setting row = make_setting<S>(Kind::integer, key, get, sentence);
  row.range = range;
  return row;
}
template <class S, class Get>
Setting bytes(std::string_view key, Get get, Range range, std::string_view sentence) {
  Setting row = integer<S>(key, get, range, sentence);
  row.kind = Kind::bytes;
  return row;
}
template <class S, class Get>
Setting duration(std::string_view key, Get get, Range range, std::string_view sentence) {
  Setting row = integer<S>(key, get, range, sentence);
  row.kind = Kind::duration;
  return row;
}
/// A value with a form of its own, down to a whole subtree.
template <class S>
Setting custom(std::string_view key, std::string_view type_name, std::function<void(S&, const Node&, Problems&)> read,
               std::function<std::string(const S&)> print, std::string_view sentence) {
  Setting row;
  row.key = key;
  row.kind = Kind::custom;
  row.type_name = type_name;
  row.sentence = sentence;
  row.read = [read = std::move(read)](void* settings, const Node& node, Problems& problems) {
    read(*static_cast<S*>(settings), node, problems);
  };
  row.print = [print = std::move(print)](const void* settings) { return print(*static_cast<const S*>(settings)); };
  return row;
}

}  // namespace millrace::config
