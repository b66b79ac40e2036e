#include "net/proxy_stream.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace millrace::net {
namespace {

constexpr auto kHeaderTime = std::chrono::seconds(10);

class ProxyStream final : public Stream, private StreamHandler {
 public:
  ProxyStream(Loop& loop, std::unique_ptr<Stream> below, bool trusted)
      : loop_(loop), below_(std::move(below)), trusted_(trusted) {}
  ~ProxyStream() override { loop_.cancel(timer_); }
  ProxyStream(const ProxyStream&) = delete;
  ProxyStream& operator=(const ProxyStream&) = delete;

  void start(StreamHandler& handler) override {
    handler_ = &handler;
    below_->start(*this);
    if (!trusted_) return refuse("the peer is not one of the trusted proxies");
    timer_ = loop_.run_after(kHeaderTime, [this] {
      timer_ = 0;
      refuse("no PROXY header in time");
    });
  }
  void pause_reading() override {
    paused_ = true;
    if (passed_) below_->pause_reading();
  }
  void resume_reading() override {
    paused_ = false;
    if (passed_) below_->resume_reading();
  }
  void expect(std::size_t total) override { below_->expect(total); }
  void acknowledge_now() override { below_->acknowledge_now(); }
  Buffer& output() override { return below_->output(); }
  void mark_dirty() override { below_->mark_dirty(); }
  void send(SharedBytes bytes) override { below_->send(std::move(bytes)); }
  [[nodiscard]] std::size_t pending_bytes() const override { return below_->pending_bytes(); }
  void set_marks(std::size_t low, std::size_t high) override { below_->set_marks(low, high); }
  void close() override { below_->close(); }
  void abort() override { below_->abort(); }
  [[nodiscard]] std::string peer_address() const override { return source_.empty() ? below_->peer_address() : source_; }

 private:
  std::size_t on_bytes(ByteView bytes) override {
    auto header = parse_proxy_header(bytes);
    if (!header) {
      refuse(header.error().context);
      return bytes.size();
    }
    if (!*header) return 0;
    loop_.cancel(std::exchange(timer_, 0));
    source_ = std::move((*header)->source).value_or(std::string());
    passed_ = true;
    below_->start(*handler_);
    // What stands behind the header comes when reading resumes, in this turn.
    below_->pause_reading();
    if (!paused_) below_->resume_reading();
    return (*header)->size;
  }
  void on_closed(const Error& reason) override { handler_->on_closed(reason); }

  void refuse(const char* why) {
    log::warn("proxy_header_refused", {{"peer", below_->peer_address()}, {"reason", why}});
    below_->abort();
  }

  Loop& loop_;
  std::unique_ptr<Stream> below_;
  StreamHandler* handler_ = nullptr;
  std::string source_;
  Loop::TimerId timer_ = 0;
  bool trusted_;
  bool passed_ = false;
  bool paused_ = false;
};

}  // namespace

std::unique_ptr<Stream> behind_proxy(Loop& loop, std::unique_ptr<Stream> below, const std::vector<Network>& proxies) {
  const std::string peer = below->peer_address();
  const bool trusted = std::ranges::any_of(proxies, [&](const Network& network) { return network.contains(peer); });
  return std::make_unique<ProxyStream>(loop, std::move(below), trusted);
}

}  // namespace millrace::net
