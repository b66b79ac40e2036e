// HttpSink: records as bodies of HTTP requests, one by one or several in one, under Confluent's class name and
// settings. At least once: a request whose answer was lost is sent again. Thread: the task's.
#pragma once

#include "connect/runtime/sink_class.h"

namespace millrace::connect::http {

const SinkClass& http_sink_class();

}  // namespace millrace::connect::http
