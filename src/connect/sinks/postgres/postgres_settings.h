// What the settings of the PostgreSQL sink mean beyond their rows. Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "connect/settings/settings.h"

namespace millrace::connect::postgres {

/// jdbc:postgresql://host:port/database?key=value as libpq's keywords. nullopt: it is none.
std::optional<std::map<std::string, std::string>> parse_url(std::string_view url);

/// What rows cannot say (SinkClass::check).
void check_settings(const Settings& settings, std::vector<ConfigValue>& values);

}  // namespace millrace::connect::postgres
