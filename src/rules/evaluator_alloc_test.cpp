// The common path allocates nothing: counted with an operator new of its own.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include "rules/evaluator.h"

// The thread sanitizer's operator new cannot be replaced; what this test counts does not depend on threads.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MILLRACE_NEW_IS_TAKEN
#endif
#endif

#if !defined(MILLRACE_NEW_IS_TAKEN)

namespace {
std::atomic<std::uint64_t> allocations{0};
}  // namespace

[[gnu::noinline]] void* operator new(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
// The forms that do not throw go with it, or a sanitizer's own would hand out what the delete below gives to free().
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return std::malloc(size);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t /*size*/) noexcept {
  std::free(memory);
}

namespace millrace::rules {
namespace {

TEST(Evaluator, TheCommonPathAllocatesNothing) {
  RuleDefinition rule;
  rule.name = "report";
  rule.sql =
      R"(SELECT *, parse_time("yyyy-MM-dd'T'HH:mm:ssz", timestamp()) as timestamp FROM 'report/+' WHERE speed >= 0)";
  ActionDefinition action;
  action.kafka.topic = "message-${type}";
  action.kafka.key = "${device_no}";
  rule.actions.push_back(action);
  const auto rules = RuleSet::compile({rule});
  ASSERT_TRUE(rules) << rules.error().message();
  Evaluator evaluator(1);
  const std::string payload = R"({"type":"log","device_no":"T\u0031","speed":12.5,"nested":{"a":[1,2,3]}})";
  const std::vector<std::string> topics = {"report/a", "report/b", "report/c"};
  std::size_t outputs = 0;
  const auto run = [&](int from, int to) {
    for (int i = from; i < to; ++i) {
      DeviceMessage message;
      message.topic = topics[static_cast<std::size_t>(i) % topics.size()];
      message.payload = as_bytes(payload);
      message.received_at = WallTime{1'700'000'000'000 + i * 100};
      outputs += evaluator.evaluate(**rules, message).outputs.size();
    }
  };
  run(0, 100);
  const std::uint64_t before = allocations.load();
  run(100, 10'100);
  EXPECT_EQ(allocations.load(), before);
  EXPECT_EQ(outputs, 10'100U);
}

}  // namespace
}  // namespace millrace::rules

#endif
