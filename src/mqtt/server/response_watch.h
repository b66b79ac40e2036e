// ResponseWatch: who of the administrators waits for an answer on which topic (MQTT 5.0 section 4.10). Touched when
// somebody waits only; otherwise it is one atomic per PUBLISH. Thread: any.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/guarded.h"
#include "mqtt/server/inspection.h"

namespace millrace::mqtt {

class ResponseWatch {
 public:
  using Heard = std::move_only_function<void(AdminResponse)>;

  [[nodiscard]] bool anyone() const { return waiting_.load(std::memory_order_relaxed) != 0; }
  /// `heard` is called once, by the loop that hears it. `correlation` must come back, unless it is empty.
  std::uint64_t add(std::string topic, std::string correlation, Heard heard) {
    return state_.with([&](State& state) {
      waiting_.fetch_add(1, std::memory_order_relaxed);
      state.waiting.emplace(++state.last, Waiting{std::move(topic), std::move(correlation), std::move(heard)});
      return state.last;
    });
  }
  /// Nobody waits any more; false when it has been heard.
  bool remove(std::uint64_t id) {
    return state_.with([&](State& state) {
      if (state.waiting.erase(id) == 0) return false;
      waiting_.fetch_sub(1, std::memory_order_relaxed);
      return true;
    });
  }
  /// A message was published.
  void hear(std::string_view topic, std::string_view correlation, std::string_view payload, std::string_view type) {
    Heard heard = state_.with([&](State& state) -> Heard {
      for (auto at = state.waiting.begin(); at != state.waiting.end(); ++at) {
        Waiting& one = at->second;
        if (one.topic != topic || (!one.correlation.empty() && one.correlation != correlation)) continue;
        Heard found = std::move(one.heard);
        state.waiting.erase(at);
        waiting_.fetch_sub(1, std::memory_order_relaxed);
        return found;
      }
      return {};
    });
    if (heard) heard({std::string(topic), std::string(payload), std::string(type)});
  }

 private:
  struct Waiting {
    std::string topic;
    std::string correlation;
    Heard heard;
  };
  struct State {
    std::map<std::uint64_t, Waiting> waiting;
    std::uint64_t last = 0;
  };
  std::atomic<std::size_t> waiting_{0};
  Guarded<State> state_;
};

}  // namespace millrace::mqtt
