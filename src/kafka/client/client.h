// Client: asks a running server one question after the other in its own protocol, for the verbs of the command line.
//
//   MR_TRY_ASSIGN(auto client, Client::open({.host = "localhost"}));
//   MR_TRY_ASSIGN(const auto answer, client.ask<MetadataResponse>(ApiKey::metadata, 9, request));
//   answer.message.topics ...          // its views point into the answer
//
// The version is the caller's choice: one that millrace and Apache Kafka 4 serve. Blocks. Thread: one owner.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "kafka/protocol/header.h"
#include "net/blocking_connection.h"
#include "net/tls_context.h"

namespace millrace::kafka {

template <class Message>
struct Answer {
  Buffer frame;
  Message message;
};

/// Whom to speak to, and as whom.
struct Target {
  std::string host{};
  std::uint16_t port = 9092;
  std::shared_ptr<const net::TlsContext> tls{};  // null: in clear
  struct LogIn {
    std::string user;
    std::string password;
  };
  std::optional<LogIn> log_in{};
  std::chrono::milliseconds timeout{30'000};
};

class Client {
 public:
  /// Connected, and logged in if `target` says so: by SCRAM-SHA-512, else -256, else, over TLS only, PLAIN. Errors:
  /// those of BlockingConnection; permission_denied (a wrong name or password, no mechanism that both know). A listener
  /// without a log-in is content without one.
  static Result<Client> open(const Target& target);

  /// Errors: closed (the server refused the request by closing), timed_out, malformed.
  template <class Response, class Request>
  Result<Answer<Response>> ask(ApiKey key, std::int16_t version, const Request& request) {
    Buffer frame;
    Encoder out(frame);
    begin(out, key, version);
    request.encode(out, version);
    if (!out.ok()) return fail(ErrorCode::invalid_argument, "a text of the request is too long");
    Answer<Response> answer;
    MR_TRY_ASSIGN(answer.frame, exchange(std::move(frame)));
    ByteReader reader(answer.frame.view());
    MR_TRY(skip_header(reader, key, version));
    MR_TRY_ASSIGN(answer.message, Response::decode(reader, version));
    return answer;
  }

 private:
  explicit Client(net::BlockingConnection connection) : connection_(std::move(connection)) {}
  void begin(Encoder& out, ApiKey key, std::int16_t version);
  Result<Buffer> exchange(Buffer frame);
  static Result<Client> connect(const Target& target);
  struct Offer;
  Result<Offer> choose(std::string_view mechanism);
  Result<void> log_in(std::string_view mechanism, const Target::LogIn& as);
  Result<std::string> authenticate(std::string_view token);
  Result<void> skip_header(ByteReader& reader, ApiKey key, std::int16_t version) const;

  net::BlockingConnection connection_;
  std::int32_t correlation_id_ = 0;
};

}  // namespace millrace::kafka
