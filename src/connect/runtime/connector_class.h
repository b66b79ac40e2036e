// ConnectorClass: a kind of connector, sink or source, as everything that treats them alike sees it: the plugin list,
// validation, the worker.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "connect/runtime/sink_class.h"
#include "connect/runtime/source_class.h"

namespace millrace::connect {

class ConnectorClass {
 public:
  // NOLINTBEGIN(google-explicit-constructor): the one is the other seen from further away
  ConnectorClass(const SinkClass& sink) : sink_(&sink) {}
  ConnectorClass(const SourceClass& source) : source_(&source) {}
  // NOLINTEND(google-explicit-constructor)

  /// Null when it is a source.
  [[nodiscard]] const SinkClass* sink() const { return sink_; }
  /// Null when it is a sink.
  [[nodiscard]] const SourceClass* source() const { return source_; }
  [[nodiscard]] std::string_view type() const { return sink_ != nullptr ? "sink" : "source"; }
  [[nodiscard]] std::string_view name() const { return sink_ != nullptr ? sink_->class_name : source_->class_name; }
  [[nodiscard]] std::string_view version() const { return sink_ != nullptr ? sink_->version : source_->version; }
  [[nodiscard]] ConfigRows rows() const { return sink_ != nullptr ? sink_->rows : source_->rows; }
  void check(const Settings& settings, std::vector<ConfigValue>& values) const {
    const auto own = sink_ != nullptr ? sink_->check : source_->check;
    if (own != nullptr) own(settings, values);
  }

 private:
  const SinkClass* sink_ = nullptr;
  const SourceClass* source_ = nullptr;
};

/// All kinds, sinks first, each sorted by class name.
std::vector<ConnectorClass> connector_classes();
/// By full class name, simple name ("S3SinkConnector") or the simple name without "Connector",
/// "SinkConnector" or "SourceConnector" (the first that fits: a sink), as Kafka Connect's plugins are found. nullopt:
/// no such.
std::optional<ConnectorClass> find_connector_class(std::string_view name);

}  // namespace millrace::connect
