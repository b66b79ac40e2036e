// Acl: one rule about the log: whether a principal may do something with topics, groups or the cluster. Kafka's model
// (KIP-11, KIP-290) with its numbers. It has one text, in permission files and as its key in the log:
//
//   allow user:ann kafka:read  topic:message-log
//   allow user:ann kafka:read  group:dash-*              # every group whose name begins with dash-
//   allow *        kafka:describe cluster
//   deny  user:bob from 10.0.0.7 kafka:all topic:*       # every topic
//
// "*" is everybody and "anonymous" who did not log in (Kafka's User:* and User:ANONYMOUS). '%', a blank, a control
// character, and in names '*', are written as %25, %20 and so on. Thread: any; values.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace millrace::auth {

enum class AclResource : std::int8_t { any = 1, topic = 2, group = 3, cluster = 4, transactional_id = 5 };
enum class AclPattern : std::int8_t { any = 1, match = 2, literal = 3, prefixed = 4 };
enum class AclOperation : std::int8_t {
  any = 1,
  all = 2,
  read = 3,
  write = 4,
  create = 5,
  remove = 6,  // "delete"
  alter = 7,
  describe = 8,
  cluster_action = 9,
  describe_configs = 10,
  alter_configs = 11,
  idempotent_write = 12,
};
enum class AclVerdict : std::int8_t { any = 1, deny = 2, allow = 3 };

inline constexpr std::string_view kClusterName = "kafka-cluster";  // the name of the one cluster resource
inline constexpr std::string_view kEveryName = "*";                // as a literal name: all of them
inline constexpr std::string_view kEverybody = "User:*";
inline constexpr std::string_view kAnonymous = "User:ANONYMOUS";
inline constexpr std::string_view kEveryHost = "*";

struct Acl {
  AclVerdict verdict = AclVerdict::allow;
  std::string principal{};  // "User:ann"
  std::string host{kEveryHost};
  AclOperation operation = AclOperation::all;
  AclResource resource = AclResource::topic;
  AclPattern pattern = AclPattern::literal;
  std::string name{};  // of the resource
  auto operator<=>(const Acl&) const = default;

  /// Whether it is about this resource.
  [[nodiscard]] bool names(AclResource kind, std::string_view resource_name) const;
};

/// invalid_argument, with what is wrong: an unknown number, no name, another principal than a user's, an operation that
/// the resource does not have.
Result<void> check(const Acl& acl);

[[nodiscard]] std::string to_text(const Acl& acl);
/// malformed, with the reason. `acl` is a line of the form above.
Result<Acl> parse_acl(std::string_view line);
/// Whether a line is about Kafka, and so for parse_acl: its action begins with "kafka:".
[[nodiscard]] bool is_acl_line(std::string_view line);

/// Kafka's word of the operation as files and the command line write it ("describe_configs").
[[nodiscard]] std::string_view to_string(AclOperation operation);
[[nodiscard]] std::optional<AclOperation> acl_operation(std::string_view word);

/// Which of them (DescribeAcls, DeleteAcls).
struct AclFilter {
  AclResource resource = AclResource::any;
  std::optional<std::string> name{};
  AclPattern pattern = AclPattern::any;  // match: those that are about the resource `name`
  std::optional<std::string> principal{};
  std::optional<std::string> host{};
  AclOperation operation = AclOperation::any;
  AclVerdict verdict = AclVerdict::any;
  [[nodiscard]] bool matches(const Acl& acl) const;
};

}  // namespace millrace::auth
