#include "net/loop.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "net/testing/socket_client.h"
#include "net/timer_queue.h"

namespace millrace::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

TEST(TimerQueue, runs_by_deadline_then_by_order_added) {
  TimerQueue timers;
  std::vector<int> order;
  timers.add(nanoseconds(20), [&] { order.push_back(3); });
  timers.add(nanoseconds(10), [&] { order.push_back(1); });
  timers.add(nanoseconds(10), [&] { order.push_back(2); });
  timers.add(nanoseconds(30), [&] { order.push_back(4); });
  EXPECT_EQ(timers.next_deadline(), nanoseconds(10));
  timers.run_due(nanoseconds(9));
  EXPECT_TRUE(order.empty());
  timers.run_due(nanoseconds(20));
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(timers.next_deadline(), nanoseconds(30));
}

TEST(TimerQueue, cancel_from_inside_and_outside) {
  TimerQueue timers;
  int runs = 0;
  std::uint64_t second = 0;
  const auto first = timers.add(nanoseconds(1), [&] {
    ++runs;
    timers.cancel(second);
  });
  second = timers.add(nanoseconds(1), [&] { runs += 100; });
  const auto third = timers.add(nanoseconds(1), [&] { runs += 1000; });
  timers.cancel(third);
  timers.run_due(nanoseconds(5));
  EXPECT_EQ(runs, 1);
  timers.cancel(first);
  timers.cancel(0);
  EXPECT_FALSE(timers.next_deadline().has_value());
}

TEST(TimerQueue, many_cancelled_timers_leave_no_heap_behind) {
  TimerQueue timers;
  for (int i = 0; i < 100'000; ++i) timers.cancel(timers.add(nanoseconds(1'000'000 + i), [] {}));
  EXPECT_EQ(timers.size(), 0U);
  EXPECT_FALSE(timers.next_deadline().has_value());
}

TEST(Loop, tasks_run_in_the_order_posted_from_each_thread) {
  testing::LoopThread thread;
  constexpr int kThreads = 4;
  constexpr int kTasks = 5000;
  std::vector<std::vector<int>> seen(kThreads);
  std::vector<std::thread> posters;
  for (int t = 0; t < kThreads; ++t) {
    posters.emplace_back([&, t] {
      for (int i = 0; i < kTasks; ++i) {
        thread.loop().post([&seen, t, i] { seen[static_cast<std::size_t>(t)].push_back(i); });
      }
    });
  }
  for (auto& poster : posters) poster.join();
  thread.run([] {});
  for (const auto& list : seen) {
    ASSERT_EQ(list.size(), static_cast<std::size_t>(kTasks));
    EXPECT_TRUE(std::is_sorted(list.begin(), list.end()));
  }
}

TEST(Loop, stop_runs_what_was_posted_before_it) {
  Loop loop;
  int runs = 0;
  for (int i = 0; i < 10; ++i) loop.post([&] { ++runs; });
  loop.stop();
  loop.run();
  EXPECT_EQ(runs, 10);
}

TEST(Loop, knows_its_thread) {
  testing::LoopThread thread;
  EXPECT_FALSE(thread.loop().in_loop_thread());
  EXPECT_TRUE(thread.run([&] { return thread.loop().in_loop_thread(); }));
}

TEST(Loop, timers_wait_and_cancel) {
  Loop loop;
  std::vector<int> order;
  const auto cancelled = loop.run_after(milliseconds(1), [&] { order.push_back(99); });
  loop.run_after(milliseconds(4), [&] {
    order.push_back(2);
    loop.stop();
  });
  loop.run_after(milliseconds(2), [&] { order.push_back(1); });
  loop.cancel(cancelled);
  const auto begin = SystemClock().mono();
  loop.run();
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
  EXPECT_GE(SystemClock().mono() - begin, milliseconds(4));
}

TEST(Loop, hooks_run_after_tasks_in_order_and_can_be_changed_while_they_run) {
  Loop loop;
  std::string order;
  Loop::HookId first = 0;
  first = loop.at_turn_end([&] {
    order += 'a';
    loop.remove_hook(first);
    loop.at_turn_end([&] { order += 'c'; });
  });
  loop.at_turn_end([&] { order += 'b'; });
  loop.post([&] {
    order += 't';
    loop.post([&] {
      order += 'u';
      loop.stop();
    });
  });
  loop.run();
  // Turn 1: the task, before events, the one it posted, after them, hooks a, b and the one a added. Turn 2 without a:
  // the stop is its task.
  EXPECT_EQ(order, "tuabcbc");
}

}  // namespace
}  // namespace millrace::net
