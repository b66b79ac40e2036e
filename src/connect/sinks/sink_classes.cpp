// The kinds of sinks there are: one row each.
#include <algorithm>
#include <array>

#include "connect/runtime/sink_class.h"
#include "connect/sinks/clickhouse/clickhouse_sink.h"
#include "connect/sinks/elasticsearch/elasticsearch_sink.h"
#include "connect/sinks/file/file_sink.h"
#include "connect/sinks/http/http_sink.h"
#include "connect/sinks/postgres/postgres_sink.h"
#include "connect/sinks/s3/s3_sink.h"

namespace millrace::connect {
namespace {

const auto& table() {
  static const std::array kClasses = {
      &clickhouse::clickhouse_sink_class(),
      &postgres::aiven_jdbc_class(),
      &elasticsearch::elasticsearch_sink_class(),
      &http::http_sink_class(),
      &postgres::confluent_jdbc_class(),
      &s3::s3_sink_class(),
      &file::file_sink_class(),
  };
  return kClasses;
}

std::string_view simple_name(std::string_view class_name) {
  const auto dot = class_name.rfind('.');
  return dot == std::string_view::npos ? class_name : class_name.substr(dot + 1);
}

bool is_alias(std::string_view class_name, std::string_view name) {
  const std::string_view simple = simple_name(class_name);
  if (name == class_name || name == simple) return true;
  for (const std::string_view suffix : {"Connector", "SinkConnector"}) {
    if (simple.ends_with(suffix) && name == simple.substr(0, simple.size() - suffix.size())) return true;
  }
  return false;
}

}  // namespace

std::span<const SinkClass* const> sink_classes() {
  return table();
}

const SinkClass* find_sink_class(std::string_view name) {
  const auto& all = table();
  const auto found =
      std::ranges::find_if(all, [name](const SinkClass* row) { return is_alias(row->class_name, name); });
  return found == all.end() ? nullptr : *found;
}

}  // namespace millrace::connect
