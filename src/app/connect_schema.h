// The part of the settings table that is about connectors, but for their listener. Private to the settings.
#pragma once

#include <vector>

#include "app/settings.h"

namespace millrace::app {

void add_connect(std::vector<config::Setting>& rows);

}  // namespace millrace::app
