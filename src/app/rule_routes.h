// The HTTP routes about rules, in the shapes of AWS IoT's API.
//
//   GET    /rules                    {"rules":[{"ruleName","topicPattern","createdAt","ruleDisabled"}]}; ?topic= those
//                                    whose FROM says so
//   POST   /rules/{name}             the rule as JSON {"sql","actions",...}: creates it
//   GET    /rules/{name}             {"rule":{"ruleName","version","createdAt",...}}
//   PATCH  /rules/{name}             replaces it
//   DELETE /rules/{name}
//   POST   /rules/{name}/enable      and /disable
//   GET    /rules/{name}/versions    {"versions":[...]}, the oldest first
//   POST   /rules/{name}/dry-run     {"topic","from"?,"to"? (ms),"mqttTopic"?,"rule"?,"against"? (version or rule),
//                                    "samples"?,"limit"?}: what it would have made of stored records
//   POST   /rules/test               {"sql","topic","payload"|"payloadBase64",...}: what it makes of it, with the trace
//
// A change is answered when it is durable and in force.
#pragma once

#include "app/rule_service.h"
#include "net/http/router.h"

namespace millrace::app {

/// `service` outlives the router.
void add_rule_routes(net::http::Router& router, RuleService& service);

}  // namespace millrace::app
