#include "mqtt/session/share_backlog.h"

#include <algorithm>

#include "base/byte_reader.h"
#include "base/byte_writer.h"

namespace millrace::mqtt {
namespace {

constexpr std::uint8_t kVersion = 1;

}  // namespace

void ShareBacklog::drop_next() {
  if (given_back_.empty()) {
    waiting_.pop_front();
  } else {
    given_back_.erase(given_back_.begin());
  }
}

void ShareBacklog::hand_next(std::uint32_t holder) {
  handed_.emplace(next(), holder);
  drop_next();
}

std::optional<std::uint32_t> ShareBacklog::settle(Offset offset) {
  const auto at = handed_.find(offset);
  if (at == handed_.end()) return std::nullopt;
  const std::uint32_t holder = at->second;
  handed_.erase(at);
  return holder;
}

std::optional<std::uint32_t> ShareBacklog::give_back(Offset offset) {
  const auto holder = settle(offset);
  if (holder) given_back_.insert(offset);
  return holder;
}

Offset ShareBacklog::cursor(Offset fed) const {
  Offset smallest = waiting_.empty() ? std::max(fed, fed_until_) : waiting_.front();
  if (!given_back_.empty()) smallest = std::min(smallest, *given_back_.begin());
  if (!handed_.empty()) smallest = std::min(smallest, handed_.begin()->first);
  return smallest;
}

void ShareBacklog::encode(Buffer& buffer, Offset fed) const {
  const Offset next = waiting_.empty() ? std::max(fed, fed_until_) : waiting_.front();
  ByteWriter out(buffer);
  out.u8(kVersion);
  out.be(static_cast<std::uint64_t>(next.value()));
  out.be(static_cast<std::uint32_t>(given_back_.size() + handed_.size()));
  for (const Offset offset : given_back_) out.be(static_cast<std::uint64_t>(offset.value()));
  for (const auto& [offset, holder] : handed_) out.be(static_cast<std::uint64_t>(offset.value()));
}

Result<ShareRecord> decode_share(ByteView value) {
  ByteReader in(value);
  if (in.u8() != kVersion) return fail(ErrorCode::corrupt, "record of a shared subscription of an unknown version");
  const auto offset = [&in] { return Offset(static_cast<std::int64_t>(in.be<std::uint64_t>())); };
  ShareRecord record;
  record.next = offset();
  for (auto count = in.be<std::uint32_t>(); count != 0 && in.ok(); --count) record.unsettled.push_back(offset());
  if (!in.ok() || in.remaining() != 0) return fail(ErrorCode::corrupt, "record of a shared subscription: length");
  return record;
}

}  // namespace millrace::mqtt
