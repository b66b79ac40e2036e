#include "auth/topic_pattern.h"

namespace millrace::auth {
namespace {

constexpr std::string_view kClientId = "${clientid}";
constexpr std::string_view kUsername = "${username}";

/// Walks the levels of a topic or filter.
class Levels {
 public:
  explicit Levels(std::string_view text) : rest_(text) {}
  [[nodiscard]] bool at_end() const { return ended_; }
  [[nodiscard]] std::string_view level() const { return rest_.substr(0, rest_.find('/')); }
  void next() {
    const std::size_t slash = rest_.find('/');
    ended_ = slash == std::string_view::npos;
    if (!ended_) rest_.remove_prefix(slash + 1);
  }

 private:
  std::string_view rest_;
  bool ended_ = false;
};

bool is_wildcard(std::string_view level) {
  return level == "+" || level == "#";
}

/// A wildcard in the first level does not match what starts with '$'.
bool kept_apart(std::string_view wildcards, std::string_view other) {
  return is_wildcard(Levels(wildcards).level()) && other.starts_with('$');
}

}  // namespace

bool matches_topic(std::string_view filter, std::string_view topic) {
  if (kept_apart(filter, topic)) return false;
  Levels f(filter);
  Levels t(topic);
  for (; !f.at_end(); f.next(), t.next()) {
    if (f.level() == "#") return true;  // "a/#" matches "a" as well (4.7.1.2)
    if (t.at_end() || (f.level() != "+" && f.level() != t.level())) return false;
  }
  return t.at_end();
}

bool covers(std::string_view outer, std::string_view inner) {
  if (kept_apart(outer, inner)) return false;
  Levels o(outer);
  Levels i(inner);
  for (; !o.at_end(); o.next(), i.next()) {
    if (o.level() == "#") return true;
    if (i.at_end() || i.level() == "#") return false;
    if (o.level() == "+") continue;
    if (o.level() != i.level()) return false;
  }
  return i.at_end();
}

bool overlap(std::string_view a, std::string_view b) {
  if (kept_apart(a, b) || kept_apart(b, a)) return false;
  Levels x(a);
  Levels y(b);
  while (!x.at_end() && !y.at_end()) {
    if (x.level() == "#" || y.level() == "#") return true;
    if (!is_wildcard(x.level()) && !is_wildcard(y.level()) && x.level() != y.level()) return false;
    x.next();
    y.next();
  }
  if (x.at_end() && y.at_end()) return true;
  return (x.at_end() ? y : x).level() == "#";
}

Result<void> check_filter(std::string_view filter) {
  if (filter.empty() || filter.find('\0') != std::string_view::npos) {
    return fail(ErrorCode::invalid_argument, "a topic filter is not empty and has no NUL", std::string(filter));
  }
  for (Levels levels(filter); !levels.at_end(); levels.next()) {
    const std::string_view level = levels.level();
    const bool last = level.data() + level.size() == filter.data() + filter.size();
    if ((level == "#" && !last) || (level.size() > 1 && level.find_first_of("+#") != std::string_view::npos)) {
      return fail(ErrorCode::invalid_argument, "'+' and '#' stand alone in their level, '#' in the last",
                  std::string(filter));
    }
  }
  return {};
}

Result<TopicPattern> TopicPattern::parse(std::string_view text) {
  MR_TRY(check_filter(text));
  for (std::size_t at = 0; (at = text.find("${", at)) != std::string_view::npos; ++at) {
    const std::string_view rest = text.substr(at);
    if (!rest.starts_with(kClientId) && !rest.starts_with(kUsername)) {
      return fail(ErrorCode::invalid_argument, "the placeholders are ${clientid} and ${username}", std::string(text));
    }
  }
  TopicPattern pattern;
  pattern.text_ = text;
  return pattern;
}

std::optional<std::string> TopicPattern::resolve(std::string_view client_id, std::string_view username) const {
  std::string filter;
  std::string_view rest = text_;
  while (true) {
    const std::size_t at = rest.find("${");
    filter += rest.substr(0, at);
    if (at == std::string_view::npos) return filter;
    rest.remove_prefix(at);
    const bool client = rest.starts_with(kClientId);
    const std::string_view value = client ? client_id : username;
    if (value.empty() || value.find_first_of(std::string_view("+#/\0", 4)) != std::string_view::npos) {
      return std::nullopt;
    }
    filter += value;
    rest.remove_prefix((client ? kClientId : kUsername).size());
  }
}

}  // namespace millrace::auth
