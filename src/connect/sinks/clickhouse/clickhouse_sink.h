// ClickHouseSink: records into a table over HTTP, as JSONEachRow or RowBinary, under the official connector's class
// name and settings.
//
// Exactly once without a table of its own at the server: which offsets one INSERT holds is written beside the bookmark
// before it is sent, and the INSERT carries a token made of them, so that a repetition is dropped by the server
// (insert_deduplication_token; a MergeTree table that is not replicated needs non_replicated_deduplication_window).
// Thread: the task's.
#pragma once

#include "connect/runtime/sink_class.h"

namespace millrace::connect::clickhouse {

const SinkClass& clickhouse_sink_class();

}  // namespace millrace::connect::clickhouse
