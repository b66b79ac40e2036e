// The routes every millrace has: /metrics, /healthz, /readyz, /api/v1/version, and the page at /. Routes of one subject
// are added by the module that owns the subject.
//
//   GET /healthz  200 while the process answers at all
//   GET /readyz   200, or 503 with the reason: {"ready":false,"reason":"starting"}
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "admin/readiness.h"
#include "metrics/process.h"
#include "metrics/registry.h"
#include "net/http/router.h"

namespace millrace::admin {

/// Everything named here must outlive the router.
struct Subject {
  const metrics::Registry& metrics;
  const Readiness& readiness;
  metrics::BuildIdentity build;
  /// Name and address of each listener, once they are bound: {"mqtt", "127.0.0.1:1883"}.
  std::function<std::vector<std::pair<std::string, std::string>>()> listeners;
};

void add_routes(net::http::Router& router, Subject subject);

}  // namespace millrace::admin
