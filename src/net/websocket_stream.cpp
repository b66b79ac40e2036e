#include "net/websocket_stream.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>
#include <optional>
#include <string_view>

#include "base/log.h"
#include "net/http/message.h"
#include "net/http/request_reader.h"
#include "net/inbox.h"
#include "net/loop_impl.h"
#include "net/websocket_frames.h"

namespace millrace::net {
namespace {

constexpr auto kHandshakeTime = std::chrono::seconds(10);
constexpr http::ReadLimits kHandshakeLimits{.head_bytes = 8 * 1024, .headers = 64, .body_bytes = 0};

std::string lower(std::string_view text) {
  std::string lowered(text);
  std::ranges::transform(lowered, lowered.begin(),
                         [](unsigned char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c); });
  return lowered;
}

/// The elements of a comma-separated header, blanks taken off.
std::vector<std::string> elements(std::string_view list) {
  std::vector<std::string> found;
  for (std::size_t from = 0; from <= list.size();) {
    const std::size_t comma = std::min(list.find(',', from), list.size());
    std::string_view one = list.substr(from, comma - from);
    while (!one.empty() && (one.front() == ' ' || one.front() == '\t')) one.remove_prefix(1);
    while (!one.empty() && (one.back() == ' ' || one.back() == '\t')) one.remove_suffix(1);
    if (!one.empty()) found.emplace_back(one);
    from = comma + 1;
  }
  return found;
}

/// Section 4.2.2: base64(SHA-1(key + GUID)).
std::string accept_of(std::string_view key) {
  std::string text(key);
  text += "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  unsigned char digest[SHA_DIGEST_LENGTH];
  SHA1(as_bytes(text).data(), text.size(), digest);
  unsigned char encoded[32];
  const int size = EVP_EncodeBlock(encoded, digest, sizeof digest);
  return {encoded, encoded + size};
}

/// 16 bytes in base64 (4.1).
bool is_key(std::string_view key) {
  const auto digit = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
  };
  return key.size() == 24 && key.ends_with("==") && std::ranges::all_of(key.substr(0, 22), digit);
}

std::string_view host_of(std::string_view authority) {
  if (authority.starts_with('[')) return authority.substr(0, authority.find(']') + 1);
  return authority.substr(0, authority.find(':'));
}

bool may_connect(const http::Request& request, const WebSocketSettings& settings) {
  const std::string_view origin = request.header("origin");
  if (origin.empty()) return true;  // no browser
  for (const std::string& allowed : settings.origins) {
    if (allowed == "*" || lower(allowed) == lower(origin)) return true;
  }
  const std::size_t scheme = origin.find("://");
  if (scheme == std::string_view::npos) return false;
  const std::string host = lower(host_of(origin.substr(scheme + 3)));
  return host == "localhost" || host == "127.0.0.1" || host == "[::1]" ||
         host == lower(host_of(request.header("host")));
}

class WebSocketStream final : public Stream, private StreamHandler, private StreamLayer {
 public:
  WebSocketStream(Loop& loop, std::unique_ptr<Stream> below, const WebSocketSettings& settings)
      : loop_(loop), below_(std::move(below)), settings_(settings) {}
  ~WebSocketStream() override {
    loop_.cancel(timer_);
    loop_.impl().layers_again.remove(*this);
    loop_.impl().layers_dirty.remove(*this);
  }
  WebSocketStream(const WebSocketStream&) = delete;
  WebSocketStream& operator=(const WebSocketStream&) = delete;

  void start(StreamHandler& handler) override {
    handler_ = &handler;
    request_ = std::make_unique<http::RequestReader>(kHandshakeLimits);
    timer_ = loop_.run_after(kHandshakeTime, [this] {
      timer_ = 0;
      fail("no WebSocket handshake in time");
    });
    below_->start(*this);
  }
  void pause_reading() override {
    paused_ = true;
    if (state_ == State::open) below_->pause_reading();
  }
  void resume_reading() override {
    if (!std::exchange(paused_, false) || state_ != State::open) return;
    if (!inbox_.empty()) loop_.impl().layers_again.add(*this);
    below_->resume_reading();
  }
  void expect(std::size_t total) override { inbox_.expect(total); }
  void acknowledge_now() override { below_->acknowledge_now(); }
  Buffer& output() override { return output_; }
  void mark_dirty() override {
    if (state_ == State::closing) {
      output_ = Buffer();
    } else if (state_ == State::open) {
      loop_.impl().layers_dirty.add(*this);
    }
  }
  void send(SharedBytes bytes) override {
    if (state_ != State::open || bytes.size() < kCopied) return send_copy(bytes.view());
    write_out();
    if (left_of_frame_ == 0) begin_frame(bytes.view());
    if (left_of_frame_ < bytes.size()) return send_copy(bytes.view());  // the rest of one message, and more
    left_of_frame_ -= bytes.size();
    below_->mark_dirty();
    below_->send(std::move(bytes));
  }
  [[nodiscard]] std::size_t pending_bytes() const override { return output_.size() + below_->pending_bytes(); }
  void set_marks(std::size_t low, std::size_t high) override { below_->set_marks(low, high); }
  void close() override {
    if (state_ == State::closing) return;
    write_out();
    if (state_ == State::open) {
      put_close(below_->output(), WebSocketClose::normal);
      below_->mark_dirty();
    }
    end();
    below_->close();
  }
  void abort() override {
    end();
    below_->abort();
  }
  [[nodiscard]] std::string peer_address() const override { return below_->peer_address(); }
  [[nodiscard]] std::optional<PeerIdentity> peer_identity() const override { return below_->peer_identity(); }

 private:
  static constexpr std::size_t kCopied = 4_KiB;
  enum class State : std::uint8_t { handshake, open, closing };

  std::size_t on_bytes(ByteView bytes) override {
    if (state_ == State::closing) return bytes.size();
    if (state_ == State::handshake) {
      const std::size_t taken = shake_hands(bytes);
      // Frames may follow in the same piece; nothing else would bring them.
      return state_ == State::open && taken < bytes.size() ? taken + on_bytes(bytes.subspan(taken)) : taken;
    }
    if (paused_) return 0;
    Buffer scratch;
    Buffer& into = inbox_.begin(scratch);
    Buffer answer;
    const auto event = frames_.read(bytes, into, answer);
    if (!answer.empty()) {
      write_out();  // a Pong or a Close stands between frames
      below_->send_copy(answer.view());
    }
    // What came before the end, or before what was wrong, is the handler's.
    inbox_.end(into, *handler_, [this] { return flow(); });
    if (state_ == State::open) inbox_.count_held(*handler_);
    if (state_ == State::closing || event == WebSocketReader::Event::more) return bytes.size();
    if (event == WebSocketReader::Event::failed) {
      log::debug("websocket_failed", {{"peer", peer_address()}, {"reason", frames_.why()}});
      failure_ = Error{ErrorCode::protocol_error, frames_.why(), {}};
    }
    end();
    below_->close();
    return bytes.size();
  }
  void on_closed(const Error& reason) override {
    end();
    handler_->on_closed(failure_ ? *failure_ : reason);  // may destroy *this
  }
  void on_drained() override {
    if (state_ == State::open) handler_->on_drained();
  }
  void on_held(std::ptrdiff_t change) override { handler_->on_held(change); }
  void run_again() override {
    if (flow() != Inbox::Flow::open) return;
    inbox_.deliver(*handler_, [this] { return flow(); });
    inbox_.count_held(*handler_);
  }
  void write_out() override {
    if (state_ != State::open || output_.empty()) return;
    for (ByteView rest = output_.view(); !rest.empty();) {
      if (left_of_frame_ == 0) begin_frame(rest);
      const std::size_t count = std::min(rest.size(), left_of_frame_);
      below_->output().append(rest.first(count));
      rest = rest.subspan(count);
      left_of_frame_ -= count;
    }
    output_ = Buffer();  // an idle stream owns no buffer
    below_->mark_dirty();
  }
  /// Appends the head of the frame for the message at the front of `bytes`. Its body may come by send().
  void begin_frame(ByteView bytes) {
    const std::size_t message = settings_.message_size != nullptr ? settings_.message_size(bytes) : 0;
    left_of_frame_ = message != 0 ? message : bytes.size();
    put_binary_head(below_->output(), left_of_frame_);
  }

  std::size_t shake_hands(ByteView bytes) {
    const std::size_t taken = request_->read(bytes);
    if (request_->state() == http::RequestReader::State::refused) {
      refuse(request_->refusal().status, request_->refusal().message);
      return bytes.size();
    }
    if (request_->state() != http::RequestReader::State::complete) return taken;
    const http::Request request = request_->take();
    if (!answer(request)) return bytes.size();
    request_.reset();
    loop_.cancel(std::exchange(timer_, 0));
    state_ = State::open;
    if (paused_) below_->pause_reading();
    if (!output_.empty()) loop_.impl().layers_dirty.add(*this);
    return taken;
  }
  /// Section 4.2.
  bool answer(const http::Request& request) {
    const auto has = [&](std::string_view header, std::string_view wanted) {
      const auto all = elements(request.header(header));
      return std::ranges::any_of(all, [&](const std::string& one) { return lower(one) == wanted; });
    };
    if (request.method != "GET" || request.http_1_0 || !has("upgrade", "websocket") || !has("connection", "upgrade")) {
      refuse(426, "this port speaks MQTT over WebSocket");
      return false;
    }
    if (request.header("sec-websocket-version") != "13") {
      refuse(426, "WebSocket version 13 is spoken here");
      return false;
    }
    if (!is_key(request.header("sec-websocket-key"))) {
      refuse(400, "Sec-WebSocket-Key is not 16 bytes in base64");
      return false;
    }
    if (!may_connect(request, settings_)) {
      refuse(403, "the page's origin may not connect");
      return false;
    }
    const auto offered = elements(request.header("sec-websocket-protocol"));
    const auto chosen = std::ranges::find_if(offered, [&](const std::string& one) {
      return std::ranges::find(settings_.subprotocols, one) != settings_.subprotocols.end();
    });
    if (chosen == offered.end()) {  // [MQTT-6.0.0-3]
      refuse(400, "no subprotocol that is spoken here: mqtt");
      return false;
    }
    below_->output().append(
        fmt::format("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    "Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: {}\r\n\r\n",
                    accept_of(request.header("sec-websocket-key")), *chosen));
    below_->mark_dirty();
    return true;
  }
  void refuse(int status, std::string_view why) {
    const std::string_view version = status == 426 ? "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" : "";
    below_->output().append(
        fmt::format("HTTP/1.1 {} {}\r\n{}Content-Type: text/plain\r\nContent-Length: {}\r\nConnection: "
                    "close\r\n\r\n{}",
                    status, http::reason_phrase(status), version, why.size(), why));
    below_->mark_dirty();
    failure_ = Error{ErrorCode::protocol_error, "WebSocket handshake refused", std::string(why)};
    end();
    below_->close();
  }
  void fail(const char* why) {
    failure_ = Error{ErrorCode::timed_out, why, {}};
    end();
    below_->abort();
  }
  void end() {
    state_ = State::closing;
    loop_.cancel(std::exchange(timer_, 0));
    output_ = Buffer();
    inbox_.clear();
  }
  [[nodiscard]] Inbox::Flow flow() const {
    if (state_ != State::open) return Inbox::Flow::closed;
    return paused_ ? Inbox::Flow::paused : Inbox::Flow::open;
  }

  Loop& loop_;
  std::unique_ptr<Stream> below_;
  const WebSocketSettings& settings_;
  StreamHandler* handler_ = nullptr;
  std::unique_ptr<http::RequestReader> request_;  // during the handshake
  WebSocketReader frames_;
  Inbox inbox_;
  Buffer output_;                  // not yet in a frame
  std::size_t left_of_frame_ = 0;  // announced and not yet written; 0 whenever the handler is not writing a message
  std::optional<Error> failure_;
  Loop::TimerId timer_ = 0;
  State state_ = State::handshake;
  bool paused_ = false;
};

}  // namespace

std::unique_ptr<Stream> over_websocket(Loop& loop, std::unique_ptr<Stream> below, const WebSocketSettings& settings) {
  return std::make_unique<WebSocketStream>(loop, std::move(below), settings);
}

}  // namespace millrace::net
