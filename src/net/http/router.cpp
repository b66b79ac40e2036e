#include "net/http/router.h"

#include <algorithm>

#include "base/assert.h"

namespace millrace::net::http {
namespace {

std::vector<std::string> split(std::string_view path) {
  std::vector<std::string> segments;
  if (path == "/") return segments;
  path.remove_prefix(1);
  for (;;) {
    const std::size_t slash = path.find('/');
    segments.emplace_back(path.substr(0, slash));
    if (slash == std::string_view::npos) return segments;
    path.remove_prefix(slash + 1);
  }
}

bool is_name(const std::string& segment) {
  return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}

/// The number of segments that are words, or -1. A {name} takes any segment that is not empty.
int matches(const Router::Route& route, const std::vector<std::string>& segments) {
  if (route.segments.size() != segments.size()) return -1;
  int words = 0;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    if (is_name(route.segments[i])) {
      if (segments[i].empty()) return -1;
    } else if (route.segments[i] == segments[i]) {
      ++words;
    } else {
      return -1;
    }
  }
  return words;
}

}  // namespace

void Router::add(std::string_view method, std::string_view pattern, Endpoint endpoint, Access access) {
  MR_ASSERT(pattern.starts_with('/'));
  for (const auto& route : routes_) MR_ASSERT(route->method != method || route->pattern != pattern);
  routes_.push_back(std::make_unique<Route>(
      Route{std::string(method), std::string(pattern), split(pattern), std::move(endpoint), access}));
}

void Router::add_simple(std::string_view method, std::string_view pattern,
                        std::function<Response(const Request&)> answer, Access access) {
  add(
      method, pattern,
      [answer = std::move(answer)](const Request& request, Responder responder) { responder.respond(answer(request)); },
      access);
}

Router::Match Router::match(Request& request) const {
  std::vector<std::string> segments;
  // A slash at the end says nothing: kcctl asks for /connectors/, which JAX-RS takes too.
  std::string_view path = request.path;
  if (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  for (const std::string& segment : split(path)) {
    std::string& decoded = segments.emplace_back();
    percent_decode(segment, false, decoded);  // checked when the target was parsed
  }
  const std::string_view method = request.method == "HEAD" ? "GET" : std::string_view(request.method);
  Match result;
  int best = -1;
  std::vector<std::string_view> allowed;
  for (const auto& route : routes_) {
    const int words = matches(*route, segments);
    if (words < 0) continue;
    allowed.push_back(route->method);
    if (route->method == "GET") allowed.push_back("HEAD");
    if (route->method != method || words <= best) continue;
    best = words;
    result.route = route.get();
  }
  std::sort(allowed.begin(), allowed.end());
  allowed.erase(std::unique(allowed.begin(), allowed.end()), allowed.end());
  for (const auto name : allowed) result.allowed += (result.allowed.empty() ? "" : ", ") + std::string(name);
  if (result.route == nullptr) return result;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const std::string& name = result.route->segments[i];
    if (is_name(name)) request.parameters.emplace_back(name.substr(1, name.size() - 2), segments[i]);
  }
  return result;
}

}  // namespace millrace::net::http
