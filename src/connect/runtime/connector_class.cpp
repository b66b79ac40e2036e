#include "connect/runtime/connector_class.h"

#include <algorithm>

namespace millrace::connect {
namespace {

bool is_alias(std::string_view class_name, std::string_view name) {
  const auto dot = class_name.rfind('.');
  const std::string_view simple = dot == std::string_view::npos ? class_name : class_name.substr(dot + 1);
  if (name == class_name || name == simple) return true;
  for (const std::string_view suffix : {"Connector", "SinkConnector", "SourceConnector"}) {
    if (simple.ends_with(suffix) && name == simple.substr(0, simple.size() - suffix.size())) return true;
  }
  return false;
}

}  // namespace

std::vector<ConnectorClass> connector_classes() {
  std::vector<ConnectorClass> all;
  for (const SinkClass* sink : sink_classes()) all.emplace_back(*sink);
  for (const SourceClass* source : source_classes()) all.emplace_back(*source);
  return all;
}

std::optional<ConnectorClass> find_connector_class(std::string_view name) {
  const auto all = connector_classes();
  const auto found =
      std::ranges::find_if(all, [name](const ConnectorClass& one) { return is_alias(one.name(), name); });
  return found == all.end() ? std::nullopt : std::optional(*found);
}

}  // namespace millrace::connect
