// MemoryOffsetStore: committed offsets that live as long as the object. Thread: any.
#pragma once

#include <map>
#include <string>

#include "base/guarded.h"
#include "topics/offset_store.h"

namespace millrace::connect::testing {

class MemoryOffsetStore final : public topics::OffsetStore {
 public:
  void commit(std::string group, topics::CommittedOffsets offsets, Executor& reply_to, CommitDone done) override {
    groups_.with([&](auto& groups) {
      for (auto& [partition, committed] : offsets) groups[group][partition] = std::move(committed);
    });
    reply_to.post([done = std::move(done)]() mutable { done({}); });
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
  Guarded<std::map<std::string, topics::CommittedOffsets>> groups_;
};

}  // namespace millrace::connect::testing
