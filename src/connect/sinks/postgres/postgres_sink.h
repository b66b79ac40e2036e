// PostgresSink: records into tables of PostgreSQL, under the JDBC sink's class names and settings. A batch is copied
// into a temporary table and inserted from there, so that a row costs a COPY and not a statement.
//
// Exactly once: with a primary key (pk.mode) a repetition overwrites itself; without one, the offsets behind the batch
// are written to the table named by millrace.offsets.table in the same transaction, and records before them are
// skipped. Thread: the task's.
#pragma once

#include "connect/runtime/sink_class.h"

namespace millrace::connect::postgres {

const SinkClass& confluent_jdbc_class();
const SinkClass& aiven_jdbc_class();

}  // namespace millrace::connect::postgres
