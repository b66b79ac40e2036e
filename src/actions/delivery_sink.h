// DeliverySink: the sink of __rule_deliveries. Deliveries of one key go in order, those of different keys side by side;
// a delivery is settled when each of its requests was taken or has failed for good. Thread: the task's.
#pragma once

#include "actions/delivery_host.h"
#include "actions/line_files.h"
#include "connect/runtime/sink_class.h"

namespace millrace::actions {

/// `host` and `files` outlive the sink.
std::unique_ptr<connect::Sink> make_delivery_sink(connect::SinkContext context, const DeliveryHost& host,
                                                  LineFiles& files);
/// Limits of its batches and retries; it is no connector, so nothing makes one by this name.
const connect::SinkClass& delivery_sink_class();
/// What a task of it is configured with.
connect::Settings delivery_settings();

}  // namespace millrace::actions
