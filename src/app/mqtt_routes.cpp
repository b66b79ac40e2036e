#include "app/mqtt_routes.h"

#include <fmt/format.h>

#include <charconv>
#include <memory>
#include <utility>

#include "mqtt/server/administration.h"

namespace millrace::app {
namespace {

using mqtt::SessionState;
using net::http::json_string;
using net::http::Request;
using net::http::Responder;
using net::http::Response;

constexpr std::uint32_t kMaxListed = 10'000;
constexpr std::uint32_t kMaxTimeoutMs = 300'000;
constexpr std::uint32_t kMaxTraceSeconds = 3'600;

Result<std::uint32_t> number(const Request& request, std::string_view key, std::uint32_t otherwise,
                             std::uint32_t most) {
  const std::string* const text = request.query_value(key);
  if (text == nullptr) return otherwise;
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc{} || end != text->data() + text->size() || value > most) {
    return fail(ErrorCode::invalid_argument, "a number is expected", fmt::format("{}: 0 to {}", key, most));
  }
  return value;
}

std::string text(const Request& request, std::string_view key) {
  const std::string* const value = request.query_value(key);
  return value != nullptr ? *value : std::string();
}

std::string subscriptions_json(const SessionState& session, bool with_client) {
  std::string json;
  for (const SessionState::Subscribed& one : session.subscriptions) {
    json += fmt::format("{}{{{}\"filter\":{},\"qos\":{},\"no_local\":{},\"retain_as_published\":{}}}",
                        json.empty() ? "" : ",",
                        with_client ? fmt::format("\"client_id\":{},", json_string(session.client_id)) : "",
                        json_string(one.filter), one.qos, one.no_local, one.retain_as_published);
  }
  return json;
}

std::string session_json(const SessionState& session, bool with_subscriptions) {
  std::string json =
      fmt::format(R"({{"client_id":{},"connected":{})", json_string(session.client_id), session.connected);
  if (session.connected) {
    json += fmt::format(
        R"(,"user":{},"address":{},"protocol":"{}","keep_alive_s":{},"reading_paused":{},"output_bytes":{})",
        json_string(session.user), json_string(session.address), session.protocol, session.keep_alive_s,
        session.reading_paused, session.output_bytes);
  }
  json +=
      fmt::format(R"(,"persistent":{},"expiry_s":{},"in_flight":{},"queued":{},"backlog":{},"subscription_count":{})",
                  session.persistent, session.expiry_s, session.in_flight, session.queued, session.backlog,
                  session.subscription_count);
  if (with_subscriptions) json += ",\"subscriptions\":[" + subscriptions_json(session, false) + "]";
  return json + "}";
}

template <class Print>
std::string array(const std::vector<SessionState>& sessions, Print print) {
  std::string json = "[";
  for (const SessionState& session : sessions) {
    const std::string one = print(session);
    if (!one.empty()) json += (json.size() == 1 ? "" : ",") + one;
  }
  return json + "]\n";
}

class Routes {
 public:
  Routes(MqttService& service, net::Loop& loop) : service_(service), loop_(loop) {}

  enum class Listing : std::uint8_t { clients, sessions, subscriptions };
  void list(const Request& request, Responder responder, Listing what) {
    const auto limit = number(request, "limit", 1'000, kMaxListed);
    if (!limit) return responder.respond(Response::of(limit.error()));
    mqtt::SessionQuery query{.prefix = text(request, "prefix"), .after = text(request, "after"), .only = std::nullopt};
    query.connected_only = what == Listing::clients;
    query.with_subscriptions = what == Listing::subscriptions;
    query.limit = *limit;
    ask(std::move(responder), [&](mqtt::Administration& mqtt, Responder answer) {
      mqtt.list(std::move(query), loop_,
                [what, answer = std::move(answer)](const std::vector<SessionState>& sessions) mutable {
                  answer.respond(Response::json(200, array(sessions, [what](const SessionState& session) {
                                                  return what == Listing::subscriptions
                                                             ? subscriptions_json(session, true)
                                                             : session_json(session, false);
                                                })));
                });
    });
  }
  void one(const Request& request, Responder responder) {
    mqtt::SessionQuery query{.only = std::string(request.parameter("id")), .with_subscriptions = true, .limit = 1};
    ask(std::move(responder), [&](mqtt::Administration& mqtt, Responder answer) {
      mqtt.list(std::move(query), loop_,
                [answer = std::move(answer)](const std::vector<SessionState>& sessions) mutable {
                  if (sessions.empty()) return answer.respond(not_found());
                  answer.respond(Response::json(200, session_json(sessions.front(), true) + "\n"));
                });
    });
  }
  void disconnect(const Request& request, Responder responder, bool end_session) {
    ask(std::move(responder), [&](mqtt::Administration& mqtt, Responder answer) {
      mqtt.disconnect(
          std::string(request.parameter("id")), end_session, loop_,
          [answer = std::move(answer)](std::optional<ReceiptStatus> done) mutable {
            if (!done) return answer.respond(not_found());
            if (*done != ReceiptStatus::quota) return answer.respond(Response{204, "", {}, ""});
            answer.respond(Response::error(503, "unavailable",
                                           "the session has ended, but the log has no room to remember that: "
                                           "after a restart it may be there again; ask once more then"));
          });
    });
  }
  void publish(Request request, Responder responder) {
    auto message = message_of(std::move(request));
    if (!message) return responder.respond(Response::of(message.error()));
    ask(std::move(responder), [&](mqtt::Administration& mqtt, Responder answer) {
      // Shared: a refusal answers, too.
      auto shared = std::make_shared<Responder>(std::move(answer));
      const auto sent = mqtt.publish(std::move(*message), loop_, [shared](ReceiptStatus status) {
        if (status == ReceiptStatus::quota) {
          return shared->respond(Response::error(503, "unavailable", "the log takes nothing at the moment; try again"));
        }
        shared->respond(Response::json(
            200, fmt::format("{{\"durable\":true,\"rule_matched\":{}}}\n", status == ReceiptStatus::durable)));
      });
      if (!sent) shared->respond(Response::of(sent.error()));
    });
  }
  void request(Request asked, Responder responder) {
    const auto timeout_ms = number(asked, "timeout_ms", 10'000, kMaxTimeoutMs);
    if (!timeout_ms) return responder.respond(Response::of(timeout_ms.error()));
    auto message = message_of(std::move(asked));
    if (!message) return responder.respond(Response::of(message.error()));
    ask(std::move(responder), [&](mqtt::Administration& mqtt, Responder answer) {
      auto shared = std::make_shared<Responder>(std::move(answer));
      auto timer = std::make_shared<net::Loop::TimerId>(0);
      const auto id = mqtt.request(std::move(*message), loop_, [this, shared, timer](mqtt::AdminResponse response) {
        loop_.cancel(*timer);
        const std::string type =
            response.content_type.empty() ? std::string("application/octet-stream") : response.content_type;
        const bool printable = type.find_first_of("\r\n") == std::string::npos;
        shared->respond({200, printable ? type : "application/octet-stream", {}, std::move(response.payload)});
      });
      if (!id) return shared->respond(Response::of(id.error()));
      *timer = loop_.run_after(std::chrono::milliseconds(*timeout_ms), [this, shared, id = *id] {
        mqtt::Server* const server = service_.server();
        if (server != nullptr && !server->administration().forget(id)) return;  // the answer is on its way here
        shared->respond(Response::error(504, "timed_out", "no answer came in time"));
      });
    });
  }
  void trace(const Request& request, Responder responder) {
    const auto seconds = number(request, "for_s", 60, kMaxTraceSeconds);
    if (!seconds) return responder.respond(Response::of(seconds.error()));
    std::string client = text(request, "client");
    std::string filter = text(request, "filter");
    if (*seconds != 0 && client.empty() == filter.empty()) {
      return responder.respond(Response::error(400, "invalid_argument", "either client or filter says what to trace"));
    }
    ask(std::move(responder), [&](mqtt::Administration& mqtt, Responder answer) {
      mqtt.trace(std::move(client), std::move(filter), *seconds);
      answer.respond({204, "", {}, ""});
    });
  }

 private:
  static Response not_found() { return Response::error(404, "not_found", "there is no such client or session"); }
  template <class Question>
  void ask(Responder responder, Question question) {
    mqtt::Server* const server = service_.server();
    if (server == nullptr) {
      return responder.respond(Response::error(503, "unavailable", "MQTT is not served (yet, or any more)"));
    }
    question(server->administration(), std::move(responder));
  }
  static Result<mqtt::AdminPublish> message_of(Request request) {
    mqtt::AdminPublish message;
    message.topic = text(request, "topic");
    MR_TRY_ASSIGN(const std::uint32_t qos, number(request, "qos", 1, 2));
    message.qos = static_cast<std::uint8_t>(qos);
    message.retain = text(request, "retain") == "true";
    message.content_type = text(request, "content_type");
    message.response_topic = text(request, "response_topic");
    message.payload = std::move(request.body);
    return message;
  }

  MqttService& service_;
  net::Loop& loop_;
};

}  // namespace

void add_mqtt_routes(net::http::Router& router, MqttService& service, net::Loop& loop) {
  const auto routes = std::make_shared<Routes>(service, loop);
  using Listing = Routes::Listing;
  const auto add = [&](std::string_view method, const std::string& path, auto action) {
    router.add(method, "/api/v1/mqtt" + path, [routes, action](Request request, Responder responder) {
      action(*routes, std::move(request), std::move(responder));
    });
  };
  add("GET", "/clients", [](Routes& r, const Request& q, Responder a) { r.list(q, std::move(a), Listing::clients); });
  add("GET", "/sessions", [](Routes& r, const Request& q, Responder a) { r.list(q, std::move(a), Listing::sessions); });
  add("GET", "/subscriptions",
      [](Routes& r, const Request& q, Responder a) { r.list(q, std::move(a), Listing::subscriptions); });
  add("GET", "/sessions/{id}", [](Routes& r, const Request& q, Responder a) { r.one(q, std::move(a)); });
  add("DELETE", "/clients/{id}",
      [](Routes& r, const Request& q, Responder a) { r.disconnect(q, std::move(a), false); });
  add("DELETE", "/sessions/{id}",
      [](Routes& r, const Request& q, Responder a) { r.disconnect(q, std::move(a), true); });
  add("POST", "/publish", [](Routes& r, Request q, Responder a) { r.publish(std::move(q), std::move(a)); });
  add("POST", "/request", [](Routes& r, Request q, Responder a) { r.request(std::move(q), std::move(a)); });
  add("POST", "/trace", [](Routes& r, const Request& q, Responder a) { r.trace(q, std::move(a)); });
}

}  // namespace millrace::app
