// Request: one request on its way through a handler: what was asked, and the one place to answer. Handlers move it into
// whatever waits (an append, a timer) and answer exactly once, on the loop's thread; answering after the client is gone
// does nothing.
#pragma once

#include <memory>
#include <utility>

#include "kafka/protocol/header.h"
#include "kafka/server/connection.h"

namespace millrace::kafka {

class Request {
 public:
  Request(std::shared_ptr<Connection> connection, std::uint64_t slot, const RequestHeader& header,
          const ApiCodec& codec, SharedBytes frame, ByteView body)
      : connection_(std::move(connection)),
        slot_(slot),
        header_(header),
        codec_(&codec),
        frame_(std::move(frame)),
        body_(body) {}
  Request(Request&&) = default;
  Request& operator=(Request&&) = default;

  [[nodiscard]] std::int16_t version() const { return header_.api_version; }
  [[nodiscard]] const RequestHeader& header() const { return header_; }
  /// The whole frame; views in decoded messages point into it and live as long as this request.
  [[nodiscard]] const SharedBytes& frame() const { return frame_; }
  [[nodiscard]] Connection& connection() const { return *connection_; }

  template <class Message>
  [[nodiscard]] Result<Message> decode() const {
    ByteReader reader(body_);
    return Message::decode(reader, version());
  }

  template <class Message>
  void respond(const Message& message) {
    respond_at(message, version());
  }
  /// ApiVersions answers a version it does not know with version 0.
  template <class Message>
  void respond_at(const Message& message, std::int16_t at_version) {
    Response response;
    Encoder out = begin(response);
    message.encode(out, at_version);
    finish(std::move(response), out.ok());
  }
  /// acks=0.
  void no_answer() { connection_->no_answer(slot_); }
  void close(CloseReason reason, std::string_view detail) { connection_->close(reason, detail); }
  void malformed(const Error& error) { close(CloseReason::malformed_request, error.message()); }

 private:
  Encoder begin(Response& response) const;
  void finish(Response response, bool ok);

  std::shared_ptr<Connection> connection_;
  std::uint64_t slot_;
  RequestHeader header_;
  const ApiCodec* codec_;
  SharedBytes frame_;
  ByteView body_;
};

}  // namespace millrace::kafka
