// The REST interface of Kafka Connect (org.apache.kafka.connect.runtime.rest.resources), on the worker of this process:
// same routes, status codes, JSON and error texts, so that curl scripts, kcctl, Kafka UI and AKHQ find what they
// expect. docs/reference/connect-rest.md lists them. Thread: the worker's loop.
#pragma once

#include <string>

#include "connect/runtime/worker.h"
#include "net/http/router.h"

namespace millrace::connect {

struct RestSubject {
  Worker& worker;
  std::string version;  // of Apache Kafka that clients take us for
  std::string commit;
  std::string kafka_cluster_id;
};

/// `subject`'s worker must outlive the router's server.
void add_routes(net::http::Router& router, RestSubject subject);

}  // namespace millrace::connect
