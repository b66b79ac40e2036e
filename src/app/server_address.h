// Where the verbs that ask a running server find it.
#pragma once

#include "app/options.h"
#include "kafka/client/client.h"

namespace millrace::app {

/// A connection to the server that --kafka names, or 127.0.0.1:9092. Errors: invalid_argument (the address), those of
/// Client::open.
Result<kafka::Client> open_client(const Options& options);

}  // namespace millrace::app
