// What a rule does with its output: AWS IoT's topic-rule action objects in the shape they are written in, and what is
// millrace's own among them (webhook, file). Text marked "template" may hold ${expressions}.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace millrace::rules {

/// A part that few actions have: a pointer's worth of memory while it is absent. Compared by what it holds.
template <class T>
class Boxed {
 public:
  Boxed() = default;
  Boxed(T value) : value_(std::make_shared<const T>(std::move(value))) {}  // NOLINT(google-explicit-constructor)
  explicit operator bool() const { return value_ != nullptr; }
  const T& operator*() const { return *value_; }
  const T* operator->() const { return value_.get(); }
  bool operator==(const Boxed& other) const {
    return value_ == other.value_ || (value_ && other.value_ && *value_ == *other.value_);
  }

 private:
  std::shared_ptr<const T> value_;
};

struct NamedText {
  std::string key;
  std::string value;
  bool operator==(const NamedText&) const = default;
};

struct KafkaAction {
  std::string topic;         // template
  std::string key;           // template; empty: null key
  std::string partition;     // template; empty: by key
  using Header = NamedText;  // both templates
  std::vector<Header> headers;
  bool internal = false;  // made by millrace itself: may name one of its own topics ("__...")
  bool operator==(const KafkaAction&) const = default;
};

/// MQTT 5 properties of a republished message; all templates, the empty ones are not sent.
struct RepublishHeaders {
  std::string payload_format_indicator;  // UNSPECIFIED_BYTES or UTF8_DATA
  std::string content_type;
  std::string response_topic;
  std::string correlation_data;  // base64
  std::string message_expiry;    // seconds
  std::vector<NamedText> user_properties;
  bool operator==(const RepublishHeaders&) const = default;
};

struct RepublishAction {
  std::string topic;  // template
  int qos = 0;
  bool retain = false;
  Boxed<RepublishHeaders> headers{};
  bool operator==(const RepublishAction&) const = default;
};

/// `http` and `webhook`: a request, delivered from the log until the destination has taken it.
struct HttpAction {
  std::string url;                 // template
  std::string method = "POST";     // GET, POST, PUT, PATCH, DELETE
  std::vector<NamedText> headers;  // values are templates
  std::string key;                 // template: requests of one key go in order; empty: the client's id, else the topic
  std::string body;                // template; empty: the rule's output
  std::string text;                // webhook: template; the body is {"text": ...}
  std::string answer_topic;        // template: where the body of the answer goes; empty: nowhere
  std::string answer_key;          // template
  bool batching = false;           // requests that wait are joined into one JSON array
  std::int32_t max_batch_size = 10;
  std::int32_t max_batch_bytes = 131'072;
  std::int32_t max_batch_open_ms = 0;          // how long one may wait for company, from its message's time
  std::int32_t timeout_ms = 10'000;            // of one try
  std::int64_t give_up_after_ms = 86'400'000;  // of all tries, from the message's time; 0: never
  bool operator==(const HttpAction&) const = default;
};

/// A line of a file in the folder that the setting rules.file.dir names.
struct FileAction {
  std::string name;  // template: letters, digits, '.', '-', '_'
  bool operator==(const FileAction&) const = default;
};

struct ActionDefinition {
  enum class Kind : std::uint8_t { kafka, republish, http, webhook, file };
  Kind kind = Kind::kafka;
  KafkaAction kafka;
  RepublishAction republish;
  Boxed<HttpAction> http{};  // http and webhook
  Boxed<FileAction> file{};
  bool operator==(const ActionDefinition&) const = default;

  /// Its output waits in the log (rules/delivery.h) instead of being handed on at once.
  [[nodiscard]] bool is_deferred() const { return kind >= Kind::http; }
};

}  // namespace millrace::rules
