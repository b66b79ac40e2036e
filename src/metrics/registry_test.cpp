#include "metrics/registry.h"

#include <gtest/gtest.h>

#include <cmath>
#include <thread>

#include "metrics/process.h"
#include "metrics/testing/exposition.h"

namespace millrace::metrics {
namespace {

using testing::parse_exposition;
using testing::sample_value;

TEST(Registry, the_same_name_and_labels_give_the_same_metric) {
  Registry registry;
  Counter& a = registry.counter("millrace_x_total", "x", {{"b", "2"}, {"a", "1"}});
  Counter& b = registry.counter("millrace_x_total", "x", {{"a", "1"}, {"b", "2"}});
  EXPECT_EQ(&a, &b);
  EXPECT_NE(&a, &registry.counter("millrace_x_total", "x", {{"a", "1"}}));
}

TEST(Registry, text_is_exactly_this) {
  Registry registry;
  registry.counter("millrace_b_total", "Back\\slash and\nnew line").add(3);
  registry.gauge("millrace_a", "A gauge", {{"topic", "quote\" back\\ line\n"}, {"n", "1"}}).set(-5);
  registry.collect_gauge("millrace_c", "Collected", [] {
    return std::vector<Registry::Sample>{{Labels{{"p", "0"}}, 1.5}, {Labels{{"p", "1"}}, std::nan("")}};
  });
  EXPECT_EQ(registry.prometheus_text(),
            "# HELP millrace_a A gauge\n"
            "# TYPE millrace_a gauge\n"
            "millrace_a{n=\"1\",topic=\"quote\\\" back\\\\ line\\n\"} -5\n"
            "# HELP millrace_b_total Back\\\\slash and\\nnew line\n"
            "# TYPE millrace_b_total counter\n"
            "millrace_b_total 3\n"
            "# HELP millrace_c Collected\n"
            "# TYPE millrace_c gauge\n"
            "millrace_c{p=\"0\"} 1.5\n"
            "millrace_c{p=\"1\"} NaN\n");
}

TEST(Registry, histogram_buckets_are_cumulative_and_in_seconds) {
  Registry registry;
  Histogram& histogram = registry.histogram("millrace_latency_seconds", "Latency", {{"op", "append"}});
  for (const std::uint64_t us : {0ULL, 50ULL, 51ULL, 1000ULL, 30'000'000ULL, 30'000'001ULL}) histogram.observe_us(us);
  const auto text = registry.prometheus_text();
  const auto exposition = parse_exposition(text);
  ASSERT_TRUE(exposition.has_value()) << exposition.error().message() << "\n" << text;
  const auto bucket = [&](const char* le) {
    return sample_value(*exposition, "millrace_latency_seconds_bucket", {{"op", "append"}, {"le", le}});
  };
  EXPECT_EQ(bucket("5e-05"), 2);
  EXPECT_EQ(bucket("0.0001"), 3);
  EXPECT_EQ(bucket("0.001"), 4);
  EXPECT_EQ(bucket("30"), 5);
  EXPECT_EQ(bucket("+Inf"), 6);
  EXPECT_EQ(sample_value(*exposition, "millrace_latency_seconds_count", {{"op", "append"}}), 6);
  EXPECT_NEAR(sample_value(*exposition, "millrace_latency_seconds_sum", {{"op", "append"}}), 60.001102, 1e-9);
}

TEST(Registry, stays_well_formed_while_threads_observe) {
  Registry registry;
  Histogram& histogram = registry.histogram("millrace_h_seconds", "h");
  Counter& counter = registry.counter("millrace_n_total", "n");
  constexpr std::uint64_t kEach = 20'000;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      for (std::uint64_t i = 0; i < kEach; ++i) {
        histogram.observe_us(i * 97);
        counter.add();
      }
    });
  }
  for (int i = 0; i < 50; ++i) {
    const auto exposition = parse_exposition(registry.prometheus_text());
    ASSERT_TRUE(exposition.has_value()) << exposition.error().message();
  }
  for (auto& thread : threads) thread.join();
  const auto exposition = parse_exposition(registry.prometheus_text());
  ASSERT_TRUE(exposition.has_value());
  EXPECT_EQ(sample_value(*exposition, "millrace_n_total"), 3.0 * kEach);
  EXPECT_EQ(sample_value(*exposition, "millrace_h_seconds_count"), 3.0 * kEach);
}

TEST(ProcessMetrics, have_plausible_values) {
  Registry registry;
  register_process_metrics(registry, SystemClock(), {"1.2.3", "abc"});
  const auto exposition = parse_exposition(registry.prometheus_text());
  ASSERT_TRUE(exposition.has_value()) << exposition.error().message();
  EXPECT_GT(sample_value(*exposition, "millrace_process_resident_bytes"), 100'000);
  EXPECT_GE(sample_value(*exposition, "millrace_process_open_fds"), 3);
  EXPECT_GE(sample_value(*exposition, "millrace_process_cpu_seconds_total"), 0);
  EXPECT_GT(sample_value(*exposition, "millrace_process_start_time_seconds"), 1.7e9);
  EXPECT_EQ(sample_value(*exposition, "millrace_build_info",
                         {{"version", "1.2.3"}, {"commit", "abc"}, {"compiler", __VERSION__}}),
            1);
}

// The judge must be able to refuse.
TEST(StrictParser, refuses_what_is_not_the_format) {
  const auto refused = [](std::string_view text) { return !parse_exposition(text).has_value(); };
  const std::string head = "# HELP a_total x\n# TYPE a_total counter\n";
  EXPECT_FALSE(refused(head + "a_total 1\n"));
  EXPECT_TRUE(refused(head + "a_total 1"));
  EXPECT_TRUE(refused(head + "a_total one\n"));
  EXPECT_TRUE(refused(head + "a_total{} 1\n"));
  EXPECT_TRUE(refused(head + "a_total{x=\"1\\q\"} 1\n"));
  EXPECT_TRUE(refused(head + "a_total{x=\"1\",x=\"2\"} 1\n"));
  EXPECT_TRUE(refused(head + "a_total 1\na_total 2\n"));
  EXPECT_TRUE(refused(head + head));
  EXPECT_TRUE(refused(head + "b_total 1\n"));
  EXPECT_TRUE(refused("a_total 1\n"));
  EXPECT_TRUE(refused("# HELP h x\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_sum 1\nh_count 1\n"));
  EXPECT_TRUE(
      refused("# HELP h x\n# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n"));
  EXPECT_TRUE(refused("# HELP h x\n# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 2\n"));
}

}  // namespace
}  // namespace millrace::metrics
