#include "auth/permissions.h"

#include <fmt/format.h>

#include <functional>
#include <utility>

namespace millrace::auth {
namespace {

std::string_view take_word(std::string_view& line) {
  const std::size_t from = line.find_first_not_of(" \t\r");
  line.remove_prefix(from == std::string_view::npos ? line.size() : from);
  const std::size_t end = line.find_first_of(" \t\r");
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(word.size());
  return word;
}

Result<PermissionRule> parse_rule(std::string_view line) {
  const auto wrong = [](const char* what) { return fail(ErrorCode::malformed, what); };
  PermissionRule rule;
  const std::string_view verdict = take_word(line);
  const std::string_view who = take_word(line);
  const std::string_view what = take_word(line);
  // A topic may hold blanks: the pattern is the rest of the line.
  const std::size_t from = line.find_first_not_of(" \t");
  std::string_view topics = from == std::string_view::npos ? std::string_view() : line.substr(from);
  while (!topics.empty() && (topics.back() == ' ' || topics.back() == '\t' || topics.back() == '\r')) {
    topics.remove_suffix(1);
  }
  rule.allow = verdict == "allow";
  if (!rule.allow && verdict != "deny") return wrong("a rule begins with allow or deny");
  constexpr std::string_view kUser = "user:";
  if (who.starts_with(kUser) && who.size() > kUser.size()) {
    rule.user = who.substr(kUser.size());
    if (rule.user == "*") return wrong("everybody is *, not user:*");
  } else if (who == "*") {
    rule.user = "*";
  } else if (who != "anonymous") {
    return wrong("a rule is about user:NAME, * or anonymous");
  }
  rule.publish = what == "publish" || what == "all";
  rule.subscribe = what == "subscribe" || what == "all";
  if (!rule.publish && !rule.subscribe) return wrong("a rule is about publish, subscribe or all");
  MR_TRY_ASSIGN(rule.topics, TopicPattern::parse(topics));
  return rule;
}

}  // namespace

std::shared_ptr<const Permissions> Permissions::everything() {
  auto permissions = std::make_shared<Permissions>();
  permissions->everything_ = true;
  return permissions;
}

Result<std::shared_ptr<const Permissions>> Permissions::parse(std::string_view text) {
  auto permissions = std::make_shared<Permissions>();
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    std::string_view look = line;
    const std::string_view first = take_word(look);
    if (first.empty() || first.starts_with('#')) continue;
    const Result<void> added = [&]() -> Result<void> {
      if (is_acl_line(line)) {
        MR_TRY_ASSIGN(permissions->acls_.emplace_back(), parse_acl(line));
      } else {
        MR_TRY_ASSIGN(permissions->rules_.emplace_back(), parse_rule(line));
      }
      return {};
    }();
    if (!added) {
      return fail(ErrorCode::malformed, added.error().context,
                  fmt::format("line {}{}{}", number, added.error().detail.empty() ? "" : ": ", added.error().detail));
    }
  }
  if (permissions->rules_.empty() && permissions->acls_.empty())
    return fail(ErrorCode::malformed, "a permissions file has at least one rule");
  return permissions;
}

std::string to_text(const PermissionRule& rule) {
  const std::string who = rule.user.empty() ? "anonymous" : rule.user == "*" ? "*" : "user:" + rule.user;
  const char* what = rule.publish && rule.subscribe ? "all" : rule.publish ? "publish" : "subscribe";
  return fmt::format("{} {} {} {}", rule.allow ? "allow" : "deny", who, what, rule.topics.text());
}

Access::Access(const PermissionSlot* slot, Identity identity, std::string client_id)
    : slot_(slot), identity_(std::move(identity)), client_id_(std::move(client_id)) {}

bool Access::refresh() {
  if (slot_ == nullptr) return true;
  const std::uint64_t version = slot_->version();
  if (version == version_) return everything_;
  const auto permissions = slot_->load();
  version_ = version;
  everything_ = permissions->allows_everything();
  nothing_ = false;
  rules_.clear();
  remembered_.reset();
  for (const PermissionRule& rule : permissions->rules()) {
    const bool concerned = identity_.anonymous() ? rule.user.empty() : rule.user == "*" || rule.user == identity_.name;
    if (!concerned) continue;
    auto filter = rule.topics.resolve(client_id_, identity_.name);
    if (filter) {
      rules_.push_back({rule.allow, rule.publish, rule.subscribe, *std::move(filter)});
    } else if (!rule.allow) {
      nothing_ = true;  // what it would deny cannot be told
    }
  }
  return everything_;
}

bool Access::judge(std::string_view topic, bool publish) {
  if (nothing_) return false;
  bool allowed = false;
  for (const Rule& rule : rules_) {
    if (!(publish ? rule.publish : rule.subscribe) || (rule.allow && allowed)) continue;
    if (!matches_topic(rule.filter, topic)) continue;
    if (!rule.allow) return false;
    allowed = true;
  }
  return allowed;
}

bool Access::ask(std::string_view topic, bool publish) {
  if (refresh()) return true;
  if (!remembered_) remembered_ = std::make_unique<std::array<Remembered, kRemembered>>();
  Remembered& place = (*remembered_)[(std::hash<std::string_view>{}(topic) + (publish ? 1 : 0)) % kRemembered];
  if (place.topic != topic || place.publish != publish || topic.empty()) {
    place.topic = topic;
    place.publish = publish;
    place.allowed = judge(topic, publish);
  }
  return place.allowed;
}

bool Access::may_publish(std::string_view topic) {
  return ask(topic, true);
}

bool Access::may_receive(std::string_view topic) {
  return ask(topic, false);
}

bool Access::may_subscribe(std::string_view filter) {
  if (refresh()) return true;
  if (nothing_) return false;
  bool allowed = false;
  for (const Rule& rule : rules_) {
    if (!rule.subscribe) continue;
    if (!rule.allow && overlap(rule.filter, filter)) return false;
    allowed = allowed || (rule.allow && covers(rule.filter, filter));
  }
  return allowed;
}

}  // namespace millrace::auth
