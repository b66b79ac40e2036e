#include "app/reference_routes.h"

#include <fmt/format.h>

#include "codec/base64.h"
#include "config/node.h"

namespace millrace::app {
namespace {

using net::http::json_string;
using net::http::Request;
using net::http::Responder;
using net::http::Response;
using references::Definition;
using references::Kind;
using references::ReferenceStore;

std::string shown(const ReferenceStore::Listed& listed, ReferenceStore& store) {
  const Definition& definition = *listed.definition;
  std::string out = fmt::format("{{\"name\":{}", json_string(definition.name));
  if (listed.configured) out += ",\"configured\":true";
  if (const auto table = definition.kind == Kind::table ? store.desk().table(definition.name) : nullptr) {
    const auto status = table->status();
    out +=
        fmt::format(",\"ready\":{},\"rowsInMemory\":{},\"bytesInMemory\":{}", status.ready, status.rows, status.bytes);
    if (!status.problem.empty()) out += ",\"problem\":" + json_string(status.problem);
  }
  return out + "," + references::to_json(definition, true).substr(1);
}

void list(Kind kind, ReferenceStore& store, const Request& /*request*/, Responder responder) {
  std::string out = "[";
  for (const ReferenceStore::Listed& listed : store.list(kind)) {
    if (out.size() > 1) out += ",";
    out += shown(listed, store);
  }
  responder.respond(Response::json(200, out + "]\n"));
}

std::string missing(Kind kind, std::string_view name) {
  return fmt::format("there is no {} {}", sql::to_string(kind), name);
}

void get(Kind kind, ReferenceStore& store, const Request& request, Responder responder) {
  const auto found = store.find(kind, request.parameter("name"));
  responder.respond(found ? Response::json(200, shown(*found, store) + "\n")
                          : Response::error(404, "not_found", missing(kind, request.parameter("name"))));
}

ReferenceStore::Done answer(Responder responder) {
  return [responder = std::move(responder)](Result<void> result) mutable {
    responder.respond(result ? Response::json(200, "{}\n") : Response::of(result.error()));
  };
}

/// A descriptor may also come as the bytes that protoc wrote.
std::string body_of(Kind kind, const Request& request) {
  if (kind != Kind::descriptor || request.body.starts_with('{')) return request.body;
  return "{\"descriptorSet\":\"" + to_base64(as_bytes(request.body)) + "\"}";
}

void put(Kind kind, ReferenceStore& store, const Request& request, Responder responder) {
  const auto node = config::parse_yaml(body_of(kind, request), sql::to_string(kind));
  if (!node) return responder.respond(Response::of(node.error()));
  if (node->find("file") != nullptr) {
    return responder.respond(Response::error(400, "invalid_argument", "a file is read by the configuration only"));
  }
  auto definition = references::parse_definition(kind, request.parameter("name"), *node);
  if (!definition) return responder.respond(Response::of(definition.error()));
  store.put(std::move(*definition), answer(std::move(responder)));
}

void remove(Kind kind, ReferenceStore& store, const Request& request, Responder responder) {
  store.remove(kind, std::string(request.parameter("name")), answer(std::move(responder)));
}

/// One row, as a rule would be told it.
void row(Kind kind, ReferenceStore& store, const Request& request, Responder responder, Executor& loop) {
  const auto table = store.desk().table(request.parameter("name"));
  const std::string* const key = request.query_value("key");
  if (!table) return responder.respond(Response::error(404, "not_found", missing(kind, request.parameter("name"))));
  if (key == nullptr) return responder.respond(Response::error(400, "invalid_argument", "?key=… names the row"));
  const std::string* const sort = request.query_value("sort");
  references::RowKey wanted{*key};
  if (sort != nullptr) wanted.sort = *sort;
  auto tell = [responder = std::move(responder)](references::Answer given) mutable {
    using State = references::State;
    responder.respond(given.state == State::known    ? Response::json(200, given.text + "\n")
                      : given.state == State::absent ? Response::error(404, "not_found", "there is no such row")
                                                     : Response::error(503, "unavailable", given.text));
  };
  if (auto known = table->known(wanted)) return tell(std::move(*known));
  table->ask(wanted, loop, std::move(tell));
}

}  // namespace

void add_reference_routes(net::http::Router& router, RuleService& service) {
  struct Path {
    std::string_view path;
    Kind kind;
  };
  static constexpr Path kPaths[] = {
      {"/rule-tables", Kind::table}, {"/rule-functions", Kind::function}, {"/rule-descriptors", Kind::descriptor}};
  const auto add = [&](std::string_view method, const std::string& pattern, Kind kind, auto handle) {
    router.add(method, pattern, [&service, kind, handle](Request request, Responder responder) {
      auto shared = std::make_shared<Responder>(std::move(responder));
      const bool asked =
          service.ask_references([kind, handle, request = std::move(request), shared](ReferenceStore& store) mutable {
            handle(kind, store, request, std::move(*shared));
          });
      if (!asked) shared->respond(Response::error(503, "unavailable", "the rules are not read yet"));
    });
  };
  for (const Path& one : kPaths) {
    const std::string path(one.path);
    add("GET", path, one.kind, list);
    add("GET", path + "/{name}", one.kind, get);
    add("PUT", path + "/{name}", one.kind, put);
    add("DELETE", path + "/{name}", one.kind, remove);
  }
  add("GET", "/rule-tables/{name}/row", Kind::table,
      [&service](Kind kind, ReferenceStore& store, const Request& request, Responder responder) {
        row(kind, store, request, std::move(responder), service.loop());
      });
}

}  // namespace millrace::app
