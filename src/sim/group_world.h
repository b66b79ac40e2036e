// GroupWorld: one coordinator that crashes and comes back, its store, a network that delays and loses, and the model of
// what was promised. Shared by the members of a GroupRun. Thread: the simulation's.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/rng.h"
#include "kafka/groups/coordinator.h"
#include "sim/group_model.h"
#include "sim/group_store.h"
#include "sim/trace.h"
#include "sim/virtual_clock.h"

namespace millrace::sim {

inline constexpr std::int32_t kGroupPartitions = 6;

/// What happened in how many places; summed over seeds and printed, so that a green run says how much it saw.
struct GroupRunCounts {
  std::uint64_t crashes = 0;
  std::uint64_t rebalances = 0;
  std::uint64_t assignments = 0;
  std::uint64_t commits = 0;  // acknowledged
  std::uint64_t fenced = 0;   // commits refused
  std::uint64_t fetches = 0;
  std::uint64_t deletions = 0;
  std::uint64_t lost_messages = 0;
  std::uint64_t expired_members = 0;
  std::uint64_t replaced_members = 0;  // static ones
  std::uint64_t compactions = 0;
  void add(const GroupRunCounts& other);
  [[nodiscard]] std::string to_string() const;
};

struct GroupWorld {
  GroupWorld(std::uint64_t seed, const kafka::SeededBugs& seeded_bugs) : rng(seed), bugs(seeded_bugs) {}

  Rng rng;
  kafka::SeededBugs bugs;
  VirtualClock clock;
  Trace trace;
  SimGroupStore store;
  kafka::GroupSettings settings;
  std::unique_ptr<kafka::GroupCoordinator> coordinator;
  GroupModel model;
  GroupRunCounts counts;
  std::vector<Task> network;  // what is on its way; any of it may come next
  std::uint64_t life = 0;     // of the coordinator; messages of an earlier one are lost
  std::int64_t last_offset = 0;
  std::map<std::string, std::string> newest_process;  // by instance: who was let in last
  std::optional<std::string> violation;
  bool calm = false;  // nothing is lost any more

  [[nodiscard]] kafka::Now now() const { return {clock.mono(), clock.wall()}; }
  void violate(std::string what) {
    trace.say("VIOLATION " + what);
    if (!violation) violation = std::move(what);
  }

  void start();
  void crash();
  /// Hands out the answers of the coordinator.
  void settle();

  /// Sends `event` to the coordinator and its answer back, each after a while, or never.
  template <class Result, class Request>
  void send(void (kafka::GroupCoordinator::*event)(kafka::Now, Request, kafka::Reply<Result>), Request request,
            std::function<void()> arrived, std::function<void(const Result&)> answered,
            std::function<void(Result)> received) {
    if (loses()) return;
    network.push_back([this, event, request = std::move(request), arrived = std::move(arrived),
                       answered = std::move(answered), received = std::move(received), sent_in = life]() mutable {
      if (sent_in != life) return;  // the connection died with the process
      if (arrived) arrived();
      kafka::Reply<Result> reply = [this, answered = std::move(answered), received = std::move(received),
                                    sent_in](Result result) mutable {
        if (answered) answered(result);
        if (loses()) return;
        network.push_back([this, sent_in, result = std::move(result), received = std::move(received)]() mutable {
          if (sent_in == life) received(std::move(result));
        });
      };
      (coordinator.get()->*event)(now(), std::move(request), std::move(reply));
      settle();
    });
  }

 private:
  [[nodiscard]] bool loses() {
    const bool lost = !calm && rng.chance(1, 40);
    if (lost) ++counts.lost_messages;
    return lost;
  }
};

}  // namespace millrace::sim
