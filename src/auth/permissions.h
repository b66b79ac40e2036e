// Permissions: the permissions file: which client may publish and subscribe to what, and what Kafka clients may do
// (acl.h). Deny by default: what no rule allows is not allowed, and a rule that denies wins over every rule that
// allows.
//
//   # who                what        topics
//   allow user:dispatch  all         #
//   allow *              publish     trucks/${clientid}/#
//   allow *              subscribe   commands/${clientid}/+
//   deny  user:guest     subscribe   trucks/+/driver
//   allow anonymous      publish     demo/#
//   allow user:dash      kafka:read  topic:message-log
//
// "*" is everybody who proved who he is (in a rule about Kafka: everybody). Thread: Permissions and its slot any; an
// Access its connection's loop.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "auth/acl.h"
#include "auth/identity.h"
#include "auth/topic_pattern.h"
#include "base/guarded.h"
#include "base/result.h"

namespace millrace::auth {

struct PermissionRule {
  bool allow = true;
  std::string user{};  // "*": everybody with an identity; empty: those without
  bool publish = false;
  bool subscribe = false;
  TopicPattern topics{};
};

/// An immutable set of rules.
class Permissions {
 public:
  /// No rules and nothing refused: what holds while no file is configured.
  static std::shared_ptr<const Permissions> everything();
  /// The file's text, all or nothing: malformed names the first wrong line; a text without any rule is refused, because
  /// it is what a copy that failed leaves behind.
  static Result<std::shared_ptr<const Permissions>> parse(std::string_view text);

  [[nodiscard]] const std::vector<PermissionRule>& rules() const { return rules_; }
  /// The rules about Kafka.
  [[nodiscard]] const std::vector<Acl>& acls() const { return acls_; }
  [[nodiscard]] bool allows_everything() const { return everything_; }

 private:
  std::vector<PermissionRule> rules_;
  std::vector<Acl> acls_;
  bool everything_ = false;
};

[[nodiscard]] std::string to_text(const PermissionRule& rule);

/// Where the rules in force stand. A reload is seen by every connection at its next question.
class PermissionSlot {
 public:
  PermissionSlot() : rules_(Permissions::everything()) {}
  [[nodiscard]] std::uint64_t version() const { return version_.load(std::memory_order_acquire); }
  [[nodiscard]] std::shared_ptr<const Permissions> load() const {
    return rules_.with([](const auto& rules) { return rules; });
  }
  void store(std::shared_ptr<const Permissions> rules) {
    rules_.with([&](auto& current) { current = std::move(rules); });
    version_.fetch_add(1, std::memory_order_release);
  }

 private:
  Guarded<std::shared_ptr<const Permissions>> rules_;
  std::atomic<std::uint64_t> version_{1};
};

/// What one client may do. Rules that concern it are resolved once per version of the rules; the verdicts on its last
/// topics are remembered, so that a device that publishes to the same topics asks a hash table. No lock while the rules
/// stay the same.
class Access {
 public:
  /// `slot` outlives this; null: everything is allowed.
  Access(const PermissionSlot* slot, Identity identity, std::string client_id);

  /// Also for a will and a retained message, when they are published.
  [[nodiscard]] bool may_publish(std::string_view topic);
  /// `filter` without "$share/<group>/". Every topic that it matches must be allowed, and none denied.
  [[nodiscard]] bool may_subscribe(std::string_view filter);
  /// At the delivery of retained and queued messages: the permission may have gone since the subscription.
  [[nodiscard]] bool may_receive(std::string_view topic);

  [[nodiscard]] const Identity& identity() const { return identity_; }

 private:
  struct Rule {
    bool allow;
    bool publish;
    bool subscribe;
    std::string filter;
  };
  struct Remembered {
    std::string topic;
    bool publish = false;
    bool allowed = false;
  };
  static constexpr std::size_t kRemembered = 16;

  /// True when everything is allowed.
  bool refresh();
  [[nodiscard]] bool judge(std::string_view topic, bool publish);
  [[nodiscard]] bool ask(std::string_view topic, bool publish);

  const PermissionSlot* slot_;
  Identity identity_;
  std::string client_id_;
  std::uint64_t version_ = 0;
  bool everything_ = false;
  bool nothing_ = false;  // a rule that denies could not be resolved
  std::vector<Rule> rules_;
  std::unique_ptr<std::array<Remembered, kRemembered>> remembered_;
};

}  // namespace millrace::auth
