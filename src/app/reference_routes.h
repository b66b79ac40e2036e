// The HTTP interface of what rules may name: /rule-tables, /rule-functions, /rule-descriptors (docs/rules.md).
#pragma once

#include "app/rule_service.h"
#include "net/http/router.h"

namespace millrace::app {

/// `service` outlives the router.
void add_reference_routes(net::http::Router& router, RuleService& service);

}  // namespace millrace::app
