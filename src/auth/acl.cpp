#include "auth/acl.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace millrace::auth {
namespace {

struct OperationWord {
  AclOperation operation;
  std::string_view word;
};
constexpr OperationWord kOperations[] = {
    {AclOperation::all, "all"},
    {AclOperation::read, "read"},
    {AclOperation::write, "write"},
    {AclOperation::create, "create"},
    {AclOperation::remove, "delete"},
    {AclOperation::alter, "alter"},
    {AclOperation::describe, "describe"},
    {AclOperation::cluster_action, "cluster_action"},
    {AclOperation::describe_configs, "describe_configs"},
    {AclOperation::alter_configs, "alter_configs"},
    {AclOperation::idempotent_write, "idempotent_write"},
};

constexpr std::uint32_t bits(std::initializer_list<AclOperation> operations) {
  std::uint32_t set = 1U << static_cast<int>(AclOperation::all);
  for (const AclOperation operation : operations) set |= 1U << static_cast<int>(operation);
  return set;
}

struct ResourceWord {
  AclResource resource;
  std::string_view word;
  std::uint32_t operations;  // org.apache.kafka.security.authorizer.AclEntry.supportedOperations
};
using enum AclOperation;
constexpr ResourceWord kResources[] = {
    {AclResource::topic, "topic",
     bits({read, write, create, describe, remove, alter, describe_configs, alter_configs})},
    {AclResource::group, "group", bits({read, describe, remove, describe_configs, alter_configs})},
    {AclResource::cluster, "cluster",
     bits({create, cluster_action, describe_configs, alter_configs, idempotent_write, alter, describe})},
    {AclResource::transactional_id, "transactional-id", bits({describe, write})},
};

constexpr std::string_view kUserType = "User:";
constexpr std::string_view kFileUser = "user:";
constexpr std::string_view kAction = "kafka:";
constexpr std::size_t kLongestName = 1024;

std::string escaped(std::string_view text, bool is_name) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= ' ' || byte == 0x7F || c == '%' || (is_name && c == '*')) {
      out += fmt::format("%{:02X}", byte);
    } else {
      out += c;
    }
  }
  return out;
}

std::optional<std::string> unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    unsigned byte = 0;
    if (i + 2 >= text.size()) return std::nullopt;
    const char* const digits = text.data() + i + 1;
    if (std::from_chars(digits, digits + 2, byte, 16).ptr != digits + 2) return std::nullopt;
    out += static_cast<char>(byte);
    i += 2;
  }
  return out;
}

std::string_view take_word(std::string_view& line) {
  const std::size_t from = line.find_first_not_of(" \t\r");
  line.remove_prefix(from == std::string_view::npos ? line.size() : from);
  const std::string_view word = line.substr(0, line.find_first_of(" \t\r"));
  line.remove_prefix(word.size());
  return word;
}

std::unexpected<Error> wrong(const char* what) {
  return fail(ErrorCode::malformed, what);
}

Result<void> parse_resource(std::string_view word, Acl& acl) {
  const std::size_t colon = word.find(':');
  const auto* const found = std::ranges::find(kResources, word.substr(0, colon), &ResourceWord::word);
  if (found == std::end(kResources)) {
    return wrong("a rule about Kafka ends with topic:NAME, group:NAME, transactional-id:NAME or cluster");
  }
  acl.resource = found->resource;
  if (acl.resource == AclResource::cluster) {
    if (colon != std::string_view::npos) return wrong("there is one cluster: it has no name");
    acl.name = kClusterName;
    return {};
  }
  std::string_view name = colon == std::string_view::npos ? std::string_view() : word.substr(colon + 1);
  if (name == kEveryName) {
    acl.name = name;
    return {};
  }
  if (name.ends_with('*')) {
    acl.pattern = AclPattern::prefixed;
    name.remove_suffix(1);
  }
  auto plain = unescaped(name);
  if (!plain || name.find('*') != std::string_view::npos) {
    return wrong("in a name of a rule about Kafka '*' stands at the end; %2A is the character");
  }
  acl.name = *std::move(plain);
  return {};
}

}  // namespace

bool Acl::names(AclResource kind, std::string_view resource_name) const {
  if (resource != kind) return false;
  if (pattern == AclPattern::prefixed) return resource_name.starts_with(name);
  return name == kEveryName || name == resource_name;
}

Result<void> check(const Acl& acl) {
  const auto no = [](const char* what) { return fail(ErrorCode::invalid_argument, what); };
  const auto* const resource = std::ranges::find(kResources, acl.resource, &ResourceWord::resource);
  if (resource == std::end(kResources)) return no("only topics, groups, the cluster and transactional ids have ACLs");
  if (acl.verdict != AclVerdict::allow && acl.verdict != AclVerdict::deny) return no("an ACL allows or denies");
  if (acl.pattern != AclPattern::literal && acl.pattern != AclPattern::prefixed) {
    return no("the pattern type of an ACL is LITERAL or PREFIXED");
  }
  if (to_string(acl.operation).empty() || ((resource->operations >> static_cast<int>(acl.operation)) & 1U) == 0) {
    return no("this resource does not have that operation");
  }
  if (acl.name.empty() || acl.name.size() > kLongestName) return no("a resource's name has 1 to 1024 bytes");
  if (acl.resource == AclResource::cluster && (acl.name != kClusterName || acl.pattern != AclPattern::literal)) {
    return no("the only name of the cluster is kafka-cluster");
  }
  if (acl.pattern == AclPattern::prefixed && acl.name == kEveryName) return no("'*' is a literal name: every resource");
  if (!acl.principal.starts_with(kUserType) || acl.principal.size() == kUserType.size() ||
      acl.principal.size() > kLongestName) {
    return no("a principal is User:NAME");
  }
  if (acl.host.empty() || acl.host.size() > kLongestName) return no("a host is an address, or *");
  return {};
}

std::string_view to_string(AclOperation operation) {
  const auto* const found = std::ranges::find(kOperations, operation, &OperationWord::operation);
  return found == std::end(kOperations) ? std::string_view() : found->word;
}

std::optional<AclOperation> acl_operation(std::string_view word) {
  const auto* const found = std::ranges::find(kOperations, word, &OperationWord::word);
  if (found == std::end(kOperations)) return std::nullopt;
  return found->operation;
}

std::string to_text(const Acl& acl) {
  std::string who = "*";
  if (acl.principal == kAnonymous) {
    who = "anonymous";
  } else if (acl.principal != kEverybody) {
    who = std::string(kFileUser) + escaped(std::string_view(acl.principal).substr(kUserType.size()), false);
  }
  if (acl.host != kEveryHost) who += " from " + escaped(acl.host, false);
  const auto* const resource = std::ranges::find(kResources, acl.resource, &ResourceWord::resource);
  std::string what(resource == std::end(kResources) ? "?" : resource->word);
  if (acl.resource != AclResource::cluster) {
    what += acl.pattern == AclPattern::prefixed ? ":" + escaped(acl.name, true) + "*"
            : acl.name == kEveryName            ? ":*"
                                                : ":" + escaped(acl.name, true);
  }
  return fmt::format("{} {} {}{} {}", acl.verdict == AclVerdict::allow ? "allow" : "deny", who, kAction,
                     to_string(acl.operation), what);
}

bool is_acl_line(std::string_view line) {
  take_word(line);
  take_word(line);
  std::string_view third = take_word(line);
  if (third == "from") {
    take_word(line);
    third = take_word(line);
  }
  return third.starts_with(kAction);
}

Result<Acl> parse_acl(std::string_view line) {
  Acl acl;
  const std::string_view verdict = take_word(line);
  acl.verdict = verdict == "allow" ? AclVerdict::allow : AclVerdict::deny;
  if (verdict != "allow" && verdict != "deny") return wrong("a rule begins with allow or deny");
  const std::string_view who = take_word(line);
  if (who == "*") {
    acl.principal = kEverybody;
  } else if (who == "anonymous") {
    acl.principal = kAnonymous;
  } else if (who.starts_with(kFileUser) && who.size() > kFileUser.size()) {
    const auto name = unescaped(who.substr(kFileUser.size()));
    if (!name) return wrong("'%' in a rule about Kafka begins two hexadecimal digits");
    if (*name == "*") return wrong("everybody is *, not user:*");
    acl.principal = std::string(kUserType) + *name;
  } else {
    return wrong("a rule is about user:NAME, * or anonymous");
  }
  std::string_view action = take_word(line);
  if (action == "from") {
    const auto host = unescaped(take_word(line));
    if (!host || host->empty()) return wrong("from ADDRESS says which host");
    acl.host = *host;
    action = take_word(line);
  }
  if (!action.starts_with(kAction)) return wrong("an action about Kafka is kafka:OPERATION");
  const auto operation = acl_operation(action.substr(kAction.size()));
  if (!operation) {
    return wrong(
        "an operation is all, read, write, create, delete, alter, describe, cluster_action, describe_configs, "
        "alter_configs or idempotent_write");
  }
  acl.operation = *operation;
  MR_TRY(parse_resource(take_word(line), acl));
  if (!take_word(line).empty()) return wrong("there is something behind the resource; %20 is a blank");
  if (const auto good = check(acl); !good) return wrong(good.error().context);
  return acl;
}

bool AclFilter::matches(const Acl& acl) const {
  if (resource != AclResource::any && acl.resource != resource) return false;
  if (principal && acl.principal != *principal) return false;
  if (host && acl.host != *host) return false;
  if (operation != AclOperation::any && acl.operation != operation) return false;
  if (verdict != AclVerdict::any && acl.verdict != verdict) return false;
  if (pattern == AclPattern::match) return !name || acl.names(acl.resource, *name);
  if (pattern != AclPattern::any && acl.pattern != pattern) return false;
  return !name || acl.name == *name;
}

}  // namespace millrace::auth
