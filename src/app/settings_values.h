// Values of the configuration with a form of their own: listeners, lists of names, topics and rules. Private to the
// settings.
#pragma once

#include "app/settings.h"

namespace millrace::app {

void read_host(ListenerSetting& listener, std::string_view key, const config::Node& node, config::Problems& problems);
std::string print_host(const ListenerSetting& listener);
void read_port(ListenerSetting& listener, std::string_view key, const config::Node& node, config::Problems& problems);
std::string print_port(const ListenerSetting& listener);

void read_names(std::vector<std::string>& names, std::string_view key, const config::Node& node,
                config::Problems& problems);
std::string print_names(const std::vector<std::string>& names);

void read_topics(Settings& settings, const config::Node& node, config::Problems& problems);
std::string print_topics(const Settings& settings);

/// A map of names to what stands under them, read later.
void read_named(config::Node& out, std::string_view key, const config::Node& node, config::Problems& problems);
std::string print_named(const config::Node& node);
void read_rules(Settings& settings, const config::Node& node, config::Problems& problems);
std::string print_rules(const Settings& settings);

}  // namespace millrace::app
