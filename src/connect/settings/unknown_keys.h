// Keys of a configuration that no table knows. Kafka Connect lets them pass, and so do we; but most of them are
// misspelled.
#pragma once

#include <string>
#include <vector>

#include "connect/settings/config_key.h"

namespace millrace::connect {

struct UnknownKey {
  std::string name;
  std::string nearest;  // the known key it may be a misspelling of; empty: none is near
};

/// In the order of names. Never values: an unknown key's may be a secret.
std::vector<UnknownKey> unknown_keys(const ConfigTable& known, const ConnectorConfig& config);

}  // namespace millrace::connect
