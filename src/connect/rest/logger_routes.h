// The routes under /admin/loggers (LoggingResource). The program has one level for all its lines: the one logger is
// "root".
#pragma once

#include "base/clock.h"
#include "net/http/router.h"

namespace millrace::connect {

/// `clock` outlives the router.
void add_logger_routes(net::http::Router& router, const Clock& clock);

}  // namespace millrace::connect
