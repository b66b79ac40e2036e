// Two connections over one store of sessions: the bytes are the decisions of a SessionModel, that is who sends,
// acknowledges, breaks off, is taken over, and when the server is killed. Holds: nothing acknowledged is lost, nothing
// of QoS 2 comes twice, the session stays.
#include <cstdio>
#include <cstdlib>

#include "mqtt/testing/session_model.h"

namespace {

/// Decisions from bytes; zeros when they are used up.
class Bytes {
 public:
  Bytes(const std::uint8_t* data, std::size_t size) : at_(data), end_(data + size) {}
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }
  bool chance(std::uint64_t of, std::uint64_t n) { return below(n) < of; }

 private:
  std::uint8_t next() { return at_ == end_ ? 0 : *at_++; }

  const std::uint8_t* at_;
  const std::uint8_t* end_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace::mqtt;
  constexpr std::size_t kLongest = 512;
  const std::size_t used = std::min(size, kLongest);
  const std::string fault =
      testing::SessionModel<Bytes>(Bytes(data, used), SeededBug::none).run(static_cast<int>(used / 2));
  if (!fault.empty()) {
    std::fprintf(stderr, "%s\n", fault.c_str());
    std::abort();
  }
  return 0;
}
