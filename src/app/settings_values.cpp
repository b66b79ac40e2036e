#include "app/settings_values.h"

#include <algorithm>

#include "config/quantity.h"
#include "config/yaml_writer.h"
#include "topics/topic_config.h"

namespace millrace::app {
namespace {

using config::Node;
using config::Problems;

std::string quoted(std::string_view key) {
  return "'" + std::string(key) + "'";
}

bool is_scalar(const Node& node, std::string_view key, std::string_view allowed, Problems& problems) {
  if (node.kind == Node::Kind::scalar) return true;
  problems.add(node, quoted(key) + " needs a value, allowed: " + std::string(allowed));
  return false;
}

/// Kafka's rule for topic names.
bool valid_topic_name(std::string_view name) {
  constexpr std::size_t kLongest = 249;
  if (name.empty() || name.size() > kLongest || name == "." || name == "..") return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  });
}

/// Topics take plain numbers, as Kafka does; here units may be written too.
std::string plain_number(const std::string& key, const std::string& value) {
  std::optional<std::int64_t> number;
  if (key.ends_with(".ms")) number = config::parse_duration_ms(value);
  if (key.ends_with(".bytes")) number = config::parse_size(value);
  return number ? std::to_string(*number) : value;
}

void read_topic_config(TopicSetting& topic, const Node& node, Problems& problems) {
  if (node.kind == Node::Kind::null) return;
  if (node.kind != Node::Kind::map) {
    problems.add(node, "'config' is a map of topic settings");
    return;
  }
  for (const auto& [key, value] : node.entries) {
    if (!is_scalar(value, key, "one value", problems)) continue;
    const std::vector<std::string> known = topics::topic_config_keys();
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      problems.add(value, config::unknown_key(key, known));
      continue;
    }
    const std::string number = plain_number(key, value.text);
    if (const auto checked = topics::effective_config({}, {{key, number}}); !checked) {
      problems.add(value, checked.error().detail);
      continue;
    }
    topic.config[key] = number;
  }
}

void read_topic(Settings& settings, const Node& node, Problems& problems) {
  if (node.kind != Node::Kind::map) {
    problems.add(node, "a topic is a map: {name, partitions, config}");
    return;
  }
  TopicSetting topic;
  topic.line = node.line;
  for (const auto& [key, value] : node.entries) {
    if (key == "name") {
      constexpr std::string_view kAllowed = "1 to 249 letters, digits, '.', '_' and '-'";
      if (!is_scalar(value, key, kAllowed, problems)) continue;
      topic.name = value.text;
      if (!valid_topic_name(topic.name))
        problems.add(value, "'name' is " + topic.name + ", allowed: " + std::string(kAllowed));
    } else if (key == "partitions") {
      const auto number = config::parse_integer(value.text);
      constexpr std::int64_t kMost = 10'000;
      if (!number || *number < 1 || *number > kMost) {
        problems.add(value, "'partitions' is " + value.text + ", allowed: 1 to 10000");
      } else {
        topic.partitions = static_cast<std::int32_t>(*number);
      }
    } else if (key == "config") {
      read_topic_config(topic, value, problems);
    } else {
      problems.add(value, config::unknown_key(key, {"name", "partitions", "config"}));
    }
  }
  if (node.find("name") == nullptr) problems.add(node, "a topic needs a 'name'");
  for (const TopicSetting& other : settings.topics) {
    if (other.name == topic.name) {
      problems.add(node, "topic '" + topic.name + "' is already listed in line " + std::to_string(other.line));
    }
  }
  settings.topics.push_back(std::move(topic));
}

}  // namespace

void read_host(ListenerSetting& listener, std::string_view key, const Node& node, Problems& problems) {
  constexpr std::string_view kAllowed = "an IP address (0.0.0.0: every interface)";
  if (!is_scalar(node, key, kAllowed, problems)) return;
  const bool v6 = node.text.find(':') != std::string::npos;
  if (node.text.empty() || !net::parse_address(v6 ? "[" + node.text + "]:0" : node.text + ":0")) {
    problems.add(node, quoted(key) + " is " + node.text + ", allowed: " + std::string(kAllowed));
    return;
  }
  listener.host = node.text;
  listener.line = node.line;
}

std::string print_host(const ListenerSetting& listener) {
  return config::yaml_scalar(listener.host);
}

void read_port(ListenerSetting& listener, std::string_view key, const Node& node, Problems& problems) {
  constexpr std::string_view kAllowed = "0 to 65535, or off";
  if (!is_scalar(node, key, kAllowed, problems)) return;
  if (node.text == "off") {
    listener.port.reset();
    return;
  }
  constexpr std::int64_t kLargest = 65'535;
  const auto number = config::parse_integer(node.text);
  if (!number || *number < 0 || *number > kLargest) {
    problems.add(node, quoted(key) + " is " + node.text + ", allowed: " + std::string(kAllowed));
    return;
  }
  listener.port = static_cast<std::uint16_t>(*number);
}

std::string print_port(const ListenerSetting& listener) {
  return listener.port ? std::to_string(*listener.port) : std::string("off");
}

void read_names(std::vector<std::string>& names, std::string_view key, const Node& node, Problems& problems) {
  names.clear();
  if (node.kind == Node::Kind::scalar) {
    names.push_back(node.text);
    return;
  }
  if (node.kind == Node::Kind::map) {
    problems.add(node, quoted(key) + " is a list of names");
    return;
  }
  for (const Node& item : node.items) {
    if (is_scalar(item, key, "a name", problems)) names.push_back(item.text);
  }
}

std::string print_names(const std::vector<std::string>& names) {
  std::string text = "[";
  for (const std::string& name : names) text += (text.size() == 1 ? "" : ", ") + config::yaml_scalar(name);
  return text + "]";
}

void read_topics(Settings& settings, const Node& node, Problems& problems) {
  settings.topics.clear();
  if (node.kind == Node::Kind::null) return;
  if (node.kind != Node::Kind::sequence) {
    problems.add(node, "'topics' is a list: - {name: readings, partitions: 6}");
    return;
  }
  for (const Node& item : node.items) read_topic(settings, item, problems);
}

std::string print_topics(const Settings& settings) {
  if (settings.topics.empty()) return "[]";
  std::string text;
  for (const TopicSetting& topic : settings.topics) {
    text += "  - {name: " + config::yaml_scalar(topic.name);
    if (topic.partitions > 0) text += ", partitions: " + std::to_string(topic.partitions);
    std::string list;
    for (const auto& [key, value] : topic.config) {
      list += (list.empty() ? "" : ", ") + config::yaml_scalar(key) + ": " + config::yaml_scalar(value);
    }
    if (!list.empty()) text += ", config: {" + list + "}";
    text += "}\n";
  }
  return text;
}

void read_named(Node& out, std::string_view key, const Node& node, Problems& problems) {
  if (node.kind != Node::Kind::map && node.kind != Node::Kind::null) {
    problems.add(node, "'" + std::string(key) + "' is a map: a name, then what it is");
    return;
  }
  out = node;
}

std::string print_named(const Node& node) {
  return node.entries.empty() ? "{}" : config::yaml_block(node, 2);
}

void read_rules(Settings& settings, const Node& node, Problems& problems) {
  if (node.kind != Node::Kind::map && node.kind != Node::Kind::null) {
    problems.add(node, "'rules' is a map: the name of a rule, then its sql and actions");
    return;
  }
  settings.rules = node;
}

std::string print_rules(const Settings& settings) {
  return settings.rules.entries.empty() ? "{}" : config::yaml_block(settings.rules, 2);
}

}  // namespace millrace::app
