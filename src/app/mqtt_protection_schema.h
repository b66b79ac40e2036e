// The part of the settings table that is about what MQTT clients may cost. Private to the settings.
#pragma once

#include <vector>

#include "app/settings.h"

namespace millrace::app {

void add_mqtt_protection(std::vector<config::Setting>& rows);

}  // namespace millrace::app
