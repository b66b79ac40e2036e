// Inbox: what a layer over another stream has for its handler and the handler has not taken yet; the reading half of
// Stream's contract (bytes that are left come again in front of the next, frames are gathered whole). Private to net.
// Thread: the loop's.
#pragma once

#include <utility>

#include "net/stream.h"

namespace millrace::net {

class Inbox {
 public:
  enum class Flow : std::uint8_t { open, paused, closed };

  void expect(std::size_t total) { frame_total_ = total; }
  [[nodiscard]] bool empty() const { return kept_.size() == kept_from_; }
  void clear() {
    kept_ = Buffer();
    kept_from_ = 0;
    frame_total_ = 0;
  }

  /// Where to append what comes next: `scratch`, with what was kept in front, or the frame that is being gathered.
  Buffer& begin(Buffer& scratch) {
    if (frame_total_ != 0 || kept().size() > kSmallKept) {
      kept_.consume(std::exchange(kept_from_, 0));
      return kept_;
    }
    scratch.clear();
    scratch.append(kept());
    kept_ = Buffer();
    kept_from_ = 0;
    return scratch;
  }
  /// Hands over what is in `filled`, which begin() gave. `flow()` says after each callback whether to go on.
  template <class GetFlow>
  void end(Buffer& filled, StreamHandler& handler, GetFlow flow) {
    if (&filled != &kept_) {
      if (filled.empty()) return;
      const std::size_t taken = handler.on_bytes(filled.view());
      if (flow() == Flow::closed) return clear();
      kept_.append(filled.view().subspan(taken));
      if (frame_total_ == 0) return;
    }
    deliver(handler, flow);
  }
  /// Hands over what is kept, as far as the handler takes it.
  template <class GetFlow>
  void deliver(StreamHandler& handler, GetFlow flow) {
    while (flow() == Flow::open && !empty()) {
      if (frame_total_ != 0) {
        if (kept().size() < frame_total_) return;
        handler.on_frame(cut_frame());
      } else {
        const std::size_t taken = handler.on_bytes(kept());
        if (flow() == Flow::closed) break;
        kept_from_ += taken;
        if (frame_total_ == 0) break;
      }
    }
    if (flow() == Flow::closed || (empty() && frame_total_ == 0)) clear();
  }
  /// Tells the handler when a step more, or less, is kept than it knows.
  void count_held(StreamHandler& handler) {
    const std::size_t held = kept_.capacity() / kHeldStep * kHeldStep;
    if (held == held_told_) return;
    handler.on_held(static_cast<std::ptrdiff_t>(held) - static_cast<std::ptrdiff_t>(std::exchange(held_told_, held)));
  }

 private:
  static constexpr std::size_t kSmallKept = 16_KiB;
  [[nodiscard]] ByteView kept() const { return kept_.view(kept_from_, kept_.size() - kept_from_); }
  Buffer cut_frame() {
    const std::size_t total = std::exchange(frame_total_, 0);
    if (kept_from_ == 0 && kept_.size() == total) return std::exchange(kept_, Buffer());
    Buffer frame(total);
    frame.append(kept().first(total));
    kept_from_ += total;
    return frame;
  }

  Buffer kept_;
  std::size_t kept_from_ = 0;
  std::size_t frame_total_ = 0;  // 0: no frame
  std::size_t held_told_ = 0;
};

}  // namespace millrace::net
