// The kinds of sinks there are: one row each.
#include <array>

#include "connect/runtime/sink_class.h"
#include "connect/sinks/clickhouse/clickhouse_sink.h"
#include "connect/sinks/elasticsearch/elasticsearch_sink.h"
#include "connect/sinks/file/file_sink.h"
#include "connect/sinks/http/http_sink.h"
#include "connect/sinks/influxdb/influxdb_sink.h"
#include "connect/sinks/postgres/postgres_sink.h"
#include "connect/sinks/s3/s3_sink.h"

namespace millrace::connect {
namespace {

const auto& table() {
  static const std::array kClasses = {
      &clickhouse::clickhouse_sink_class(),       &postgres::aiven_jdbc_class(),
      &elasticsearch::elasticsearch_sink_class(), &http::http_sink_class(),
      &postgres::confluent_jdbc_class(),          &s3::s3_sink_class(),
      &influxdb::influxdb_sink_class(),           &file::file_sink_class(),
  };
  return kClasses;
}

}  // namespace

std::span<const SinkClass* const> sink_classes() {
  return table();
}

}  // namespace millrace::connect
