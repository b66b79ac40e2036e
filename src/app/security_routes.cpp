#include "app/security_routes.h"

#include <utility>

#include "auth/credential.h"
#include "base/rng.h"

namespace millrace::app {
namespace {

using net::http::json_string;
using net::http::Request;
using net::http::Responder;
using net::http::Response;

std::string kind_of(const auth::Credential& credential) {
  if (const auto* scram = std::get_if<auth::ScramCredential>(&credential)) return std::string(to_string(scram->kind));
  return std::holds_alternative<auth::Argon2Credential>(credential) ? "password" : "token";
}

std::string list_users(const auth::UserTable& table) {
  std::string text = "[";
  for (const auth::UserMap* users : {&table.fixed(), &table.stored()}) {
    for (const auto& [name, credentials] : *users) {
      if (table.find(name) != &credentials) continue;
      text += (text.size() == 1 ? "" : ",") + std::string("{\"name\":") + json_string(name) + ",\"credentials\":[";
      for (const auth::Credential& credential : credentials) {
        text += (text.back() == '[' ? "" : ",") + json_string(kind_of(credential));
      }
      text += std::string("],\"source\":\"") + (users == &table.fixed() ? "file" : "log") + "\"}";
    }
  }
  return text + "]\n";
}

std::string list_rules(const auth::Permissions& permissions, const auth::AclTable& acls) {
  std::string text = "{\"everything_allowed\":";
  text += permissions.allows_everything() ? "true" : "false";
  text += ",\"rules\":[";
  for (const auth::PermissionRule& rule : permissions.rules()) {
    text += (text.back() == '[' ? "" : ",") + json_string(auth::to_text(rule));
  }
  text += "],\"kafka\":[";
  const auto add = [&](const auth::Acl& acl, std::string_view source) {
    text += (text.back() == '[' ? "" : ",") + std::string("{\"acl\":") + json_string(auth::to_text(acl)) +
            ",\"source\":" + json_string(source) + "}";
  };
  for (const auth::Acl& acl : acls.fixed()) add(acl, "file");
  for (const auth::Acl& acl : acls.stored()) add(acl, "log");
  return text + "]}\n";
}

/// The credentials that a new secret of this kind makes. Takes milliseconds.
Result<auth::Credentials> credentials_for(std::string_view kind, std::string_view secret) {
  if (secret.empty()) return fail(ErrorCode::invalid_argument, "the body is the secret, and it is empty");
  if (kind == "scram") {
    return auth::Credentials{auth::make_scram_credential(auth::ScramKind::sha256, secret, &system_entropy),
                             auth::make_scram_credential(auth::ScramKind::sha512, secret, &system_entropy)};
  }
  if (kind == "password") return auth::Credentials{auth::make_password_credential(secret, &system_entropy)};
  if (kind == "token") {
    MR_TRY_ASSIGN(auth::Credential token, auth::make_token_credential(secret, &system_entropy));
    return auth::Credentials{std::move(token)};
  }
  return fail(ErrorCode::invalid_argument, "kind is scram, password or token");
}

auth::Users::Done answer(Responder responder) {
  return [responder = std::move(responder)](const Result<void>& result) mutable {
    responder.respond(result ? Response{204, "", {}, ""} : Response::of(result.error()));
  };
}

}  // namespace

void add_security_routes(net::http::Router& router, const SecuritySubject& subject) {
  router.add_simple("GET", "/api/v1/users", [&users = subject.users](const Request&) {
    return Response::json(200, list_users(*users.table()));
  });
  router.add_simple("GET", "/api/v1/acls", [&permissions = subject.permissions, &acls = subject.acls](const Request&) {
    return Response::json(200, list_rules(*permissions.load(), *acls.table()));
  });
  router.add("PUT", "/api/v1/users/{name}",
             [&users = subject.users, &loop = subject.loop](Request request, Responder responder) {
               const std::string* kind = request.query_value("kind");
               users.change(
                   std::string(request.parameter("name")),
                   [kind = kind != nullptr ? *kind : std::string("scram"), secret = std::move(request.body)](
                       const auth::Credentials&) { return credentials_for(kind, secret); },
                   loop, answer(std::move(responder)));
             });
  router.add("DELETE", "/api/v1/users/{name}",
             [&users = subject.users, &loop = subject.loop](const Request& request, Responder responder) {
               users.change(
                   std::string(request.parameter("name")), [](const auth::Credentials&) { return auth::Credentials(); },
                   loop, answer(std::move(responder)));
             });
  router.add("POST", "/api/v1/security/reload",
             [&worker = subject.worker, reload = subject.reload](const Request&, Responder responder) {
               worker.post([reload, done = answer(std::move(responder))]() mutable { done(reload()); });
             });
}

}  // namespace millrace::app
