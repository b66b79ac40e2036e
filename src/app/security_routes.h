// What people and programs ask about users and permissions over HTTP:
//
//   GET    /api/v1/users                 [{"name": "ann", "credentials": ["SCRAM-SHA-256"], "source": "log"}]
//   PUT    /api/v1/users/{name}?kind=K   the body is the secret; K: scram (default), password, token
//   DELETE /api/v1/users/{name}
//   GET    /api/v1/acls                  the rules in force, and the ACLs for Kafka
//   POST   /api/v1/security/reload       reads certificates, users and permissions again
//
// Secrets go in and never come out.
#pragma once

#include <functional>

#include "auth/acls.h"
#include "auth/permissions.h"
#include "auth/users.h"
#include "net/http/router.h"
#include "net/loop.h"

namespace millrace::app {

/// Everything named here outlives the router.
struct SecuritySubject {
  auth::Users& users;
  auth::PermissionSlot& permissions;
  const auth::Acls& acls;
  net::Loop& loop;
  Executor& worker;  // makes credentials, reads files
  std::function<Result<void>()> reload;
};

void add_security_routes(net::http::Router& router, const SecuritySubject& subject);

}  // namespace millrace::app
