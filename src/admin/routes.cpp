#include "admin/routes.h"

#include <fmt/format.h>

#include <memory>

namespace millrace::admin {
namespace {

using net::http::Access;
using net::http::json_string;
using net::http::Request;
using net::http::Response;

std::string html_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '<') {
      out += "&lt;";
    } else if (c == '&') {
      out += "&amp;";
    } else {
      out += c;
    }
  }
  return out;
}

Response metrics_text(const Subject& subject) {
  return {200, "text/plain; version=0.0.4; charset=utf-8", {}, subject.metrics.prometheus_text()};
}

Response health() {
  return Response::json(200, "{\"alive\":true}\n");
}

Response ready(const Subject& subject) {
  const auto obstacle = subject.readiness.obstacle();
  if (!obstacle) return Response::json(200, "{\"ready\":true}\n");
  return Response::json(503, fmt::format("{{\"ready\":false,\"reason\":{}}}\n", json_string(*obstacle)));
}

Response version(const Subject& subject) {
  return Response::json(
      200, fmt::format("{{\"version\":{},\"commit\":{},\"compiler\":{}}}\n", json_string(subject.build.version),
                       json_string(subject.build.commit), json_string(__VERSION__)));
}

Response front_page(const Subject& subject) {
  const auto obstacle = subject.readiness.obstacle();
  std::string rows;
  for (const auto& [name, address] : subject.listeners()) {
    rows += fmt::format("<tr><td>{}</td><td><code>{}</code></td></tr>\n", html_text(name), html_text(address));
  }
  std::string page = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>millrace</title>\n"
      "<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:40em;margin:3em auto;padding:0 1em}}"
      "td{{padding:.1em 1.5em .1em 0}}</style></head><body>\n"
      "<h1>millrace {}</h1>\n<p>{}</p>\n<table>\n{}</table>\n"
      "<p><a href=\"/metrics\">metrics</a> · <a href=\"/healthz\">health</a> · <a href=\"/readyz\">readiness</a> · "
      "<a href=\"/api/v1/version\">version</a></p>\n</body></html>\n",
      html_text(subject.build.version), obstacle ? "Not ready: " + html_text(*obstacle) + "." : "Ready.", rows);
  return {200,
          "text/html; charset=utf-8",
          {{"Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"}},
          std::move(page)};
}

}  // namespace

void add_routes(net::http::Router& router, Subject subject) {
  const auto shared = std::make_shared<const Subject>(std::move(subject));
  const auto get = [&](std::string_view pattern, Response (*answer)(const Subject&), Access access) {
    router.add_simple("GET", pattern, [shared, answer](const Request&) { return answer(*shared); }, access);
  };
  // Scrapers and probes ask under whatever name the cluster gives this machine.
  get("/metrics", metrics_text, Access::any_host);
  get("/healthz", [](const Subject&) { return health(); }, Access::any_host);
  get("/readyz", ready, Access::any_host);
  get("/api/v1/version", version, Access::trusted_host);
  get("/", front_page, Access::trusted_host);
}

}  // namespace millrace::admin
