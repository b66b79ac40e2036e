// MemoryOffsetStore: committed offsets that live as long as the object. Held, it takes commits and
// writes them when it is told to: a disk that is slow. Thread: any.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/guarded.h"
#include "topics/offset_store.h"

namespace millrace::connect::testing {

class MemoryOffsetStore final : public topics::OffsetStore {
 public:
  void commit(std::string group, topics::CommittedOffsets offsets, Executor& reply_to, CommitDone done) override {
    waiting_.with([&](Waiting& waiting) {
      waiting.commits.push_back(
          [this, group = std::move(group), offsets = std::move(offsets), &reply_to, done = std::move(done)]() mutable {
            write(group, std::move(offsets));
            reply_to.post([done = std::move(done)]() mutable { done({}); });
          });
    });
    if (!waiting_.with([](const Waiting& waiting) { return waiting.held; })) write_waiting();
  }
  /// From now on commits wait for write_waiting(), or no longer.
  void hold(bool held) {
    waiting_.with([held](Waiting& waiting) { waiting.held = held; });
    if (!held) write_waiting();
  }
  void write_waiting() {
    for (auto& commit : waiting_.with([](Waiting& waiting) { return std::exchange(waiting.commits, {}); })) commit();
  }
  void fetch(std::string group, Executor& reply_to, FetchDone done) override {
    auto found = groups_.with([&](auto& groups) { return groups[group]; });
    reply_to.post([done = std::move(done), found = std::move(found)]() mutable { done(std::move(found)); });
  }
  /// As the groups do when a topic is deleted.
  void forget_topic(const std::string& topic) {
    groups_.with([&](auto& groups) {
      for (auto& [group, offsets] : groups) {
        std::erase_if(offsets, [&](const auto& entry) { return entry.first.topic == topic; });
      }
    });
  }
  [[nodiscard]] topics::CommittedOffsets of(const std::string& group) {
    return groups_.with([&](auto& groups) { return groups[group]; });
  }

 private:
  struct Waiting {
    bool held = false;
    std::vector<std::move_only_function<void()>> commits;
  };
  void write(const std::string& group, topics::CommittedOffsets offsets) {
    groups_.with([&](auto& groups) {
      for (auto& [partition, committed] : offsets) groups[group][partition] = std::move(committed);
    });
  }

  Guarded<std::map<std::string, topics::CommittedOffsets>> groups_;
  Guarded<Waiting> waiting_;
};

}  // namespace millrace::connect::testing
