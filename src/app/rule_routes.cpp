#include "app/rule_routes.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "config/node.h"
#include "rules/rule_trial.h"
#include "sql/ast.h"

namespace millrace::app {
namespace {

using net::http::json_string;
using net::http::Request;
using net::http::Responder;
using net::http::Response;
using pipeline::RuleStore;

Response try_one(const Request& request) {
  const auto message = rules::parse_trial(request.body, SystemClock().wall().count());
  if (!message) return Response::error(400, "invalid_request", message.error().detail);
  return Response::json(200, rules::to_json(rules::try_rule(*message), true) + "\n");
}

std::vector<std::string> filters_of(const rules::RuleDefinition& rule) {
  const auto parsed = sql::parse_statement(rule.sql);
  return parsed ? parsed->filters : std::vector<std::string>();
}

std::string shown(const std::string& name, const RuleStore::Stored& stored) {
  return fmt::format("{{\"ruleName\":{},\"version\":{},\"createdAt\":{},{}", json_string(name), stored.version,
                     stored.created_at, rules::to_json(stored.rule).substr(1));
}

Response list(const RuleStore& store, const std::string* topic) {
  std::string out = "{\"rules\":[";
  for (const auto& [name, stored] : store.all()) {
    const auto filters = filters_of(stored.rule);
    if (topic != nullptr && std::find(filters.begin(), filters.end(), *topic) == filters.end()) continue;
    if (out.back() == '}') out += ',';
    out +=
        fmt::format("{{\"ruleName\":{},\"topicPattern\":{},\"createdAt\":{},\"ruleDisabled\":{}}}", json_string(name),
                    json_string(filters.empty() ? "" : filters.front()), stored.created_at, stored.rule.disabled);
  }
  return Response::json(200, out + "]}\n");
}

Response get(const RuleStore& store, const std::string& name) {
  const RuleStore::Stored* const stored = store.find(name);
  if (stored == nullptr) return Response::error(404, "not_found", "there is no stored rule " + name);
  return Response::json(200, "{\"rule\":" + shown(name, *stored) + "}\n");
}

Response versions(const RuleStore& store, const std::string& name) {
  const RuleStore::Stored* const stored = store.find(name);
  if (stored == nullptr) return Response::error(404, "not_found", "there is no stored rule " + name);
  std::string out = "{\"versions\":[";
  for (const RuleStore::Stored& earlier : store.versions(name)) out += shown(name, earlier) + ",";
  return Response::json(200, out + shown(name, *stored) + "]}\n");
}

Result<rules::RuleDefinition> rule_of(const std::string& name, std::string body) {
  // AWS's own tools send the rule as the payload of the request, its files wrap it.
  MR_TRY_ASSIGN(const config::Node node, config::parse_yaml(body, "rule"));
  const config::Node* const wrapped = node.find("topicRulePayload");
  return rules::parse_rule(name, wrapped != nullptr ? *wrapped : node);
}

/// Answers when the change is done.
RuleStore::Done answer(Responder responder) {
  return [responder = std::move(responder)](Result<void> result) mutable {
    responder.respond(result ? Response::json(200, "{}\n") : Response::of(result.error()));
  };
}

class Routes {
 public:
  Routes(net::http::Router& router, RuleService& service) : router_(router), service_(service) {}

  /// A route whose `question` is put to the store on its loop.
  template <class Question>
  void add(std::string_view method, std::string_view pattern, Question question) {
    router_.add(method, pattern, [&service = service_, question](Request request, Responder responder) {
      auto shared = std::make_shared<Responder>(std::move(responder));
      const bool asked = service.ask([question, request = std::move(request), shared](RuleStore& store) mutable {
        question(store, std::move(request), std::move(*shared));
      });
      if (!asked) shared->respond(Response::error(503, "unavailable", "the rules are not read yet"));
    });
  }
  template <class Answer>
  void add_read(std::string_view pattern, Answer make) {
    add("GET", pattern, [make](RuleStore& store, Request request, Responder responder) {
      responder.respond(make(store, std::string(request.parameter("name"))));
    });
  }
  template <class Change>
  void add_change(std::string_view method, std::string_view pattern, Change change) {
    add(method, pattern, [change](RuleStore& store, Request request, Responder responder) {
      auto rule = rule_of(std::string(request.parameter("name")), std::move(request.body));
      if (!rule) {
        responder.respond(Response::of(rule.error()));
        return;
      }
      (store.*change)(std::move(*rule), answer(std::move(responder)));
    });
  }

 private:
  net::http::Router& router_;
  RuleService& service_;
};

}  // namespace

void add_rule_routes(net::http::Router& router, RuleService& service) {
  router.add_simple("POST", "/rules/test", try_one);
  Routes routes(router, service);
  routes.add("GET", "/rules", [](RuleStore& store, Request request, Responder responder) {
    responder.respond(list(store, request.query_value("topic")));
  });
  routes.add_read("/rules/{name}", get);
  routes.add_read("/rules/{name}/versions", versions);
  routes.add_change("POST", "/rules/{name}", &RuleStore::create);
  routes.add_change("PATCH", "/rules/{name}", &RuleStore::replace);
  const auto switched = [](bool disabled) {
    return [disabled](RuleStore& store, Request request, Responder responder) {
      store.set_disabled(std::string(request.parameter("name")), disabled, answer(std::move(responder)));
    };
  };
  routes.add("POST", "/rules/{name}/enable", switched(false));
  routes.add("POST", "/rules/{name}/disable", switched(true));
  routes.add("DELETE", "/rules/{name}", [](RuleStore& store, Request request, Responder responder) {
    store.remove(std::string(request.parameter("name")), answer(std::move(responder)));
  });
}

}  // namespace millrace::app
