// Storage: where changes to a table of names are made durable. Thread: its loop's.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace millrace::auth {

class Storage {
 public:
  using Done = std::move_only_function<void(Result<void>)>;
  virtual ~Storage() = default;
  /// nullopt removes. `done` comes on the loop; it may be empty.
  virtual void put(std::string_view name, const std::optional<std::string>& text, Done done) = 0;
};

}  // namespace millrace::auth
