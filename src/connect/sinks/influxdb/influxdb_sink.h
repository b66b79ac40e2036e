// InfluxDbSink: records as points of InfluxDB 1.x (POST /write, line protocol), under Confluent's class name and
// settings.
//
// Exactly once by the point's identity: measurement, tags and time. The time is the record's with partition and offset
// in the digits below the millisecond, so that two records of a series in one millisecond are two points, and a record
// that comes again is the same one: of 64 partitions, and 15,625 records of one partition in a millisecond. Thread: the
// task's.
#pragma once

#include "connect/runtime/sink_class.h"

namespace millrace::connect::influxdb {

const SinkClass& influxdb_sink_class();

}  // namespace millrace::connect::influxdb
