// SinkClass: one row per kind of sink: its class name, its settings and how one is made. The row is the REST plugin
// list, the validate answer, the reference page and the factory at once.
#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "connect/runtime/batch.h"
#include "connect/runtime/sink.h"
#include "connect/settings/settings.h"

namespace millrace::connect {

/// What the runtime does with `retry` outcomes of this sink.
struct RetryLimits {
  std::int64_t attempts = -1;  // of one batch before the task starts anew; -1: no limit
  std::chrono::milliseconds first{300};
  std::chrono::milliseconds cap{60'000};
};

struct SinkClass {
  std::string_view class_name;
  std::string_view version;
  ConfigRows rows;
  /// What rows cannot say: adds errors to the values of check(). Null: nothing.
  void (*check)(const Settings& settings, std::vector<ConfigValue>& values) = nullptr;
  BatchLimits (*limits)(const Settings& settings);
  RetryLimits (*retries)(const Settings& settings) = nullptr;
  std::unique_ptr<Sink> (*make)(SinkContext context);
};

/// All kinds, sorted by class name.
std::span<const SinkClass* const> sink_classes();
/// Adds `error` to the value of `key`.
void add_error(std::vector<ConfigValue>& values, std::string_view key, std::string error);

}  // namespace millrace::connect
