// The routes of the failure ledger: list, one record, replay. Not Kafka Connect's. Thread: the worker's loop.
#pragma once

#include <memory>

#include "connect/runtime/worker.h"
#include "net/http/message.h"
#include "net/http/responder.h"

namespace millrace::connect {

/// The responder, for callbacks that may be copied.
using Answer = std::shared_ptr<net::http::Responder>;

/// A thousand entries at most, behind the first `skip`.
void answer_failures(Worker& worker, const Connector& connector, const net::http::Request& request,
                     const Answer& answer);
/// The entry of /{topic}/{partition}/{offset}, with its record.
void answer_failure(Worker& worker, const Connector& connector, const net::http::Request& request,
                    const Answer& answer);
/// All of the ledger, or with topic=, partition=, offset= what they name.
void answer_replay(Worker& worker, const Connector& connector, const net::http::Request& request, const Answer& answer);

}  // namespace millrace::connect
