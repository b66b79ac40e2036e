// FileSink: one line per record at the end of a file, under the class name of Kafka's example connector
// (org.apache.kafka.connect.file.FileStreamSinkConnector). Lines are synced before their bookmark moves; the ones
// written behind the last bookmark come again after a crash, as with Kafka's. Thread: the task's.
#pragma once

#include "connect/runtime/sink_class.h"

namespace millrace::connect::file {

const SinkClass& file_sink_class();

}  // namespace millrace::connect::file
