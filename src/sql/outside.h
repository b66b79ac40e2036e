// Outside: what a rule asks beyond its message: rows of reference tables, functions behind a URL, Protobuf descriptors.
// The functions that ask (functions_outside.cpp) know only this; who answers, and how a message waits, is the caller's.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace millrace::sql {

class ProtobufSchema;

/// Something that a statement names and that stands outside of it. Known when the rule is compiled: names are
/// constants.
struct Reference {
  enum class Kind : std::uint8_t { table, function, descriptor };
  Kind kind = Kind::table;
  std::string_view name;
  std::string_view message{};  // descriptor: the message type
  bool operator==(const Reference&) const = default;
};
std::string_view to_string(Reference::Kind kind);

struct Question {
  Reference::Kind kind = Reference::Kind::table;  // table or function
  std::string_view name;
  std::string_view argument;               // the row's key; what the function is given, as JSON
  std::optional<std::string_view> sort{};  // table: the second half of the key
  bool operator==(const Question&) const = default;
};

class Outside {
 public:
  enum class State : std::uint8_t {
    known,    // `text` is the answer
    absent,   // there is no such row
    waiting,  // it has been asked for: the message is to be judged again when the answer is there
    failed,   // `text` says why
  };
  struct Answer {
    State state = State::failed;
    std::string_view text{};
  };
  virtual ~Outside() = default;
  /// Views are valid until the message is done with. The same question has the same answer for one message.
  virtual Answer ask(const Question& question) = 0;
  /// nullptr: there is none of this name. Valid until the message is done with.
  virtual const ProtobufSchema* schema(std::string_view name) = 0;
};

}  // namespace millrace::sql
