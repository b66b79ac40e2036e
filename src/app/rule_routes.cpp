#include "app/rule_routes.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "config/node.h"
#include "config/quantity.h"
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

/// Where a rule comes from: one of the configuration has neither version nor time.
std::string origin(const RuleStore::Stored& stored) {
  return stored.version == 0 ? std::string("\"configured\":true") : fmt::format("\"createdAt\":{}", stored.created_at);
}

std::string shown(const std::string& name, const RuleStore::Stored& stored) {
  return fmt::format("{{\"ruleName\":{},\"version\":{},{},{}", json_string(name), stored.version, origin(stored),
                     rules::to_json(stored.rule).substr(1));
}

Response list(const RuleStore& store, const std::string* topic) {
  std::string out = "{\"rules\":[";
  for (const RuleStore::Stored* const stored : store.all()) {
    const auto filters = filters_of(stored->rule);
    if (topic != nullptr && std::find(filters.begin(), filters.end(), *topic) == filters.end()) continue;
    if (out.back() == '}') out += ',';
    out += fmt::format("{{\"ruleName\":{},\"topicPattern\":{},{},\"ruleDisabled\":{}}}", json_string(stored->rule.name),
                       json_string(filters.empty() ? "" : filters.front()), origin(*stored), stored->rule.disabled);
  }
  return Response::json(200, out + "]}\n");
}

Response get(const RuleStore& store, const std::string& name) {
  const RuleStore::Stored* const stored = store.find(name);
  if (stored == nullptr) return Response::error(404, "not_found", "there is no rule " + name);
  std::string metrics;
  if (const auto tally = store.tally(name)) {
    for (std::size_t i = 0; i < rules::kRuleCounters.size(); ++i) {
      metrics += fmt::format("{}\"{}\":{}", i == 0 ? "" : ",", rules::kRuleCounters[i].name, tally->values[i]);
    }
  }
  return Response::json(200, fmt::format("{{\"rule\":{},\"metrics\":{{{}}}}}\n", shown(name, *stored), metrics));
}

Response versions(const RuleStore& store, const std::string& name) {
  const RuleStore::Stored* const stored = store.find(name);
  if (stored == nullptr) return Response::error(404, "not_found", "there is no rule " + name);
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

/// A version by its number, or a rule written out.
Result<rules::RuleDefinition> version_of(const RuleStore& store, const std::string& name, const config::Node& node) {
  if (node.kind == config::Node::Kind::map) return rules::parse_rule(name, node);
  const auto number = config::parse_integer(node.text);
  const RuleStore::Stored* const now = store.find(name);
  if (now != nullptr && number == now->version) return now->rule;
  for (const RuleStore::Stored& earlier : store.versions(name)) {
    if (number == earlier.version) return earlier.rule;
  }
  return fail(ErrorCode::not_found, "rule", fmt::format("{} has no version {}", name, node.text));
}

Result<RuleDryRuns::Request> dry_run_of(const RuleStore& store, const std::string& name, const std::string& body) {
  MR_TRY_ASSIGN(const config::Node node, config::parse_yaml(body, "dry run"));
  const auto text = [&](std::string_view key) {
    const config::Node* const found = node.find(key);
    return found == nullptr ? std::string() : found->text;
  };
  const auto number = [&](std::string_view key, std::optional<std::int64_t>& out) -> Result<void> {
    const config::Node* const found = node.find(key);
    if (found == nullptr) return {};
    out = config::parse_integer(found->text);
    if (!out || *out < 0) return fail(ErrorCode::invalid_argument, "dry run", fmt::format("{}: a whole number", key));
    return {};
  };
  RuleDryRuns::Request out;
  out.topic = text("topic");
  if (out.topic.empty()) return fail(ErrorCode::invalid_argument, "dry run", "topic: whose records are looked at");
  MR_TRY(number("from", out.from_ms));
  MR_TRY(number("to", out.to_ms));
  std::optional<std::int64_t> few;
  MR_TRY(number("samples", few));
  constexpr std::int64_t kMostSamples = 1000;
  if (few) out.plan.samples = static_cast<std::size_t>(std::min(*few, kMostSamples));
  std::optional<std::int64_t> limit;
  MR_TRY(number("limit", limit));
  if (limit) out.limit = static_cast<std::uint64_t>(*limit);
  if (const config::Node* const given = node.find("rule")) {
    MR_TRY_ASSIGN(out.plan.first, version_of(store, name, *given));
  } else if (const RuleStore::Stored* const stored = store.find(name)) {
    out.plan.first = stored->rule;
  } else {
    return fail(ErrorCode::not_found, "rule", name);
  }
  if (const config::Node* const against = node.find("against")) {
    MR_TRY_ASSIGN(out.plan.second, version_of(store, name, *against));
  }
  out.plan.topic = text("mqttTopic");
  if (out.plan.topic.empty()) {
    const auto filters = filters_of(out.plan.first);
    out.plan.topic = filters.empty() ? name : filters.front();
  }
  return out;
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
  routes.add("POST", "/rules/{name}/dry-run", [&service](RuleStore& store, Request request, Responder responder) {
    auto asked = dry_run_of(store, std::string(request.parameter("name")), request.body);
    if (!asked) {
      responder.respond(Response::of(asked.error()));
      return;
    }
    service.dry_run(std::move(*asked), [responder = std::move(responder)](Result<std::string> report) mutable {
      responder.respond(report ? Response::json(200, std::move(*report)) : Response::of(report.error()));
    });
  });
  routes.add("DELETE", "/rules/{name}", [](RuleStore& store, Request request, Responder responder) {
    store.remove(std::string(request.parameter("name")), answer(std::move(responder)));
  });
}

}  // namespace millrace::app
