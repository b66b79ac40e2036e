// State: what a connector or a task is doing, in Kafka Connect's words
// (org.apache.kafka.connect.runtime.AbstractStatus).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

namespace millrace::connect {

enum class State : std::uint8_t { unassigned, running, paused, stopped, failed, restarting };

inline constexpr std::array<std::pair<State, std::string_view>, 6> kStateNames = {{{State::unassigned, "UNASSIGNED"},
                                                                                   {State::running, "RUNNING"},
                                                                                   {State::paused, "PAUSED"},
                                                                                   {State::stopped, "STOPPED"},
                                                                                   {State::failed, "FAILED"},
                                                                                   {State::restarting, "RESTARTING"}}};

constexpr std::string_view to_string(State state) {
  for (const auto& [value, name] : kStateNames) {
    if (value == state) return name;
  }
  return "UNASSIGNED";
}

/// What a user asked for; survives restarts.
enum class TargetState : std::uint8_t { started, paused, stopped };

/// As in the records of connect-configs (KafkaConfigBackingStore).
constexpr std::string_view to_string(TargetState state) {
  return state == TargetState::started ? "STARTED" : state == TargetState::paused ? "PAUSED" : "STOPPED";
}
constexpr std::optional<TargetState> parse_target_state(std::string_view text) {
  if (text == "STARTED" || text == "RUNNING") return TargetState::started;
  if (text == "PAUSED") return TargetState::paused;
  if (text == "STOPPED") return TargetState::stopped;
  return std::nullopt;
}

}  // namespace millrace::connect
