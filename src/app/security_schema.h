// The part of the settings table that is about who may connect. Private to the settings.
#pragma once

#include <string_view>
#include <vector>

#include "app/settings.h"

namespace millrace::app {

void add_security(std::vector<config::Setting>& rows);
void check_security(const Settings& settings, config::Problems& problems);
/// Whether nobody uses the listener ("mqtt", "mqtt.tls", "ws", "kafka", "kafka.tls", "http", "connect") without saying
/// who he is.
[[nodiscard]] bool asks_who_connects(const Settings& settings, std::string_view listener);

}  // namespace millrace::app
