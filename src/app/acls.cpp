// millrace acls: who may do what. `check` and `test` look at a permissions file before a server reads it; `list`, `add`
// and `delete` ask a running server about the ACLs for Kafka in its own protocol, as kafka-acls does, so that a change
// is durable and seen at once.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "app/options.h"
#include "app/server_address.h"
#include "app/verb.h"
#include "auth/acl_table.h"
#include "auth/permissions.h"
#include "kafka/client/client.h"
#include "kafka/protocol/messages/create_acls.h"
#include "kafka/protocol/messages/delete_acls.h"
#include "kafka/protocol/messages/describe_acls.h"

namespace millrace::app {
namespace {

constexpr OptionRow kOptions[] = {
    {"--user", "NAME",
     "test: who asks; without it nobody who logged in. list, add, delete: NAME:PASSWORD of a super user"},
    {"--client", "ID", "test: its client identifier (MQTT)"},
    {"--host", "ADDRESS", "test: where it connects from (Kafka)"},
    kKafkaOption,
    kKafkaTlsOption,
    kKafkaAuthorityOption,
};

constexpr std::string_view kUsage =
    "usage: millrace acls check FILE\n"
    "       millrace acls test FILE publish|subscribe|kafka:OPERATION TOPIC [options]\n"
    "       millrace acls list [--kafka HOST:PORT]\n"
    "       millrace acls add|delete RULE... [--kafka HOST:PORT]\n\n{}\n"
    "check prints the rules as they are understood. test prints allowed (status 0) or denied (status 1).\n"
    "list, add and delete are about the ACLs for Kafka clients; each RULE is one argument:\n"
    "  millrace acls test permissions publish trucks/t1/speed --user truck --client t1\n"
    "  millrace acls test permissions kafka:read group:dash --user ann\n"
    "  millrace acls add 'allow user:ann kafka:read topic:message-log' 'allow user:ann kafka:read group:dash-*'\n"
    "Where a listener asks for a log-in, only a super user may do this (docs/security.md).\n";

constexpr std::int16_t kVersion = 2;  // of the three APIs

Result<std::shared_ptr<const auth::Permissions>> read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  if (in) text << in.rdbuf();
  if (!in) return fail(ErrorCode::not_found, "cannot read", path);
  return auth::Permissions::parse(text.view());
}

int say(bool allowed) {
  fmt::print("{}\n", allowed ? "allowed" : "denied");
  return allowed ? kExitOk : kExitFailure;
}

auth::Identity identity_of(const Options& options) {
  return {options.get("--user"), options.has("--user") ? auth::Proof::password : auth::Proof::none};
}

int test_mqtt(const auth::Permissions& permissions, const Options& options) {
  auth::PermissionSlot slot;
  slot.store(std::make_shared<const auth::Permissions>(permissions));
  auth::Access access(&slot, identity_of(options), options.get("--client"));
  const bool publish = options.rest[2] == "publish";
  return say(publish ? access.may_publish(options.rest[3]) : access.may_subscribe(options.rest[3]));
}

// The question has the form of a rule, so that is how it is read.
Result<int> test_kafka(const auth::Permissions& permissions, const Options& options) {
  MR_TRY_ASSIGN(const auth::Acl asked, auth::parse_acl("allow * " + options.rest[2] + " " + options.rest[3]));
  const auth::AclTable table({}, permissions.acls());
  const auth::AclSubject who{options.has("--user") ? "User:" + options.get("--user") : std::string(auth::kAnonymous),
                             options.get("--host")};
  return say(table.allows(who, asked.operation, asked.resource, asked.name));
}

std::unexpected<Error> refused(std::int16_t code, const std::optional<std::string_view>& message) {
  return fail(ErrorCode::invalid_argument, "the server says no",
              fmt::format("{} (Kafka error {})", message.value_or(""), code));
}

auth::Acl acl_of(const auto& acl, std::int8_t type, std::string_view name, std::int8_t pattern) {
  return {.verdict = static_cast<auth::AclVerdict>(acl.permission_type),
          .principal = std::string(acl.principal),
          .host = std::string(acl.host),
          .operation = static_cast<auth::AclOperation>(acl.operation),
          .resource = static_cast<auth::AclResource>(type),
          .pattern = static_cast<auth::AclPattern>(pattern),
          .name = std::string(name)};
}

Result<void> list(kafka::Client& client) {
  constexpr std::int8_t kAny = 1;
  kafka::DescribeAclsRequest request;
  request.resource_type_filter = request.pattern_type_filter = request.operation = request.permission_type = kAny;
  request.resource_name_filter.reset();
  request.principal_filter.reset();
  request.host_filter.reset();
  MR_TRY_ASSIGN(const auto answer,
                client.ask<kafka::DescribeAclsResponse>(kafka::ApiKey::describe_acls, kVersion, request));
  if (answer.message.error_code != 0) return refused(answer.message.error_code, answer.message.error_message);
  for (const auto& resource : answer.message.resources) {
    for (const auto& acl : resource.acls) {
      fmt::print("{}\n", to_text(acl_of(acl, resource.resource_type, resource.resource_name, resource.pattern_type)));
    }
  }
  return {};
}

Result<void> add(kafka::Client& client, const std::vector<auth::Acl>& acls) {
  kafka::CreateAclsRequest request;
  for (const auth::Acl& acl : acls) {
    request.creations.push_back({static_cast<std::int8_t>(acl.resource), acl.name,
                                 static_cast<std::int8_t>(acl.pattern), acl.principal, acl.host,
                                 static_cast<std::int8_t>(acl.operation), static_cast<std::int8_t>(acl.verdict)});
  }
  MR_TRY_ASSIGN(const auto answer,
                client.ask<kafka::CreateAclsResponse>(kafka::ApiKey::create_acls, kVersion, request));
  for (const auto& result : answer.message.results) {
    if (result.error_code != 0) return refused(result.error_code, result.error_message);
  }
  return {};
}

Result<void> remove(kafka::Client& client, const std::vector<auth::Acl>& acls) {
  kafka::DeleteAclsRequest request;
  for (const auth::Acl& acl : acls) {
    request.filters.push_back({static_cast<std::int8_t>(acl.resource), acl.name, static_cast<std::int8_t>(acl.pattern),
                               acl.principal, acl.host, static_cast<std::int8_t>(acl.operation),
                               static_cast<std::int8_t>(acl.verdict)});
  }
  MR_TRY_ASSIGN(const auto answer,
                client.ask<kafka::DeleteAclsResponse>(kafka::ApiKey::delete_acls, kVersion, request));
  for (std::size_t i = 0; i < answer.message.filter_results.size(); ++i) {
    const auto& result = answer.message.filter_results[i];
    if (result.error_code != 0) return refused(result.error_code, result.error_message);
    if (result.matching_acls.empty()) return fail(ErrorCode::not_found, "there is no such ACL", to_text(acls[i]));
    for (const auto& acl : result.matching_acls) {
      if (acl.error_code != 0) return refused(acl.error_code, acl.error_message);
    }
  }
  return {};
}

Result<int> ask_server(const Options& options) {
  std::vector<auth::Acl> acls;
  for (std::size_t i = 1; i < options.rest.size(); ++i) {
    auto acl = auth::parse_acl(options.rest[i]);
    if (!acl) return fail(ErrorCode::invalid_argument, acl.error().context, options.rest[i]);
    acls.push_back(*std::move(acl));
  }
  MR_TRY_ASSIGN(kafka::Client client, open_client(options));
  if (options.rest[0] == "list") {
    MR_TRY(list(client));
  } else if (options.rest[0] == "add") {
    MR_TRY(add(client, acls));
  } else {
    MR_TRY(remove(client, acls));
  }
  return kExitOk;
}

Result<int> look_at_file(const Options& options) {
  MR_TRY_ASSIGN(const auto permissions, read(options.rest[1]));
  if (options.rest[0] == "test") {
    if (options.rest[2].starts_with("kafka:")) return test_kafka(*permissions, options);
    return test_mqtt(*permissions, options);
  }
  for (const auth::PermissionRule& rule : permissions->rules()) fmt::print("{}\n", to_text(rule));
  for (const auth::Acl& acl : permissions->acls()) fmt::print("{}\n", to_text(acl));
  return kExitOk;
}

bool is_question(const std::vector<std::string>& words) {
  if (words.empty()) return false;
  if (words[0] == "check") return words.size() == 2;
  if (words[0] == "list") return words.size() == 1;
  if (words[0] == "add" || words[0] == "delete") return words.size() > 1;
  return words.size() == 4 && words[0] == "test" &&
         (words[2] == "publish" || words[2] == "subscribe" || words[2].starts_with("kafka:"));
}

}  // namespace

int acls_main(Arguments arguments) {
  const Result<Options> options = parse_options(arguments, kOptions);
  const bool asked = options && options->has("--help");
  if (asked || !options || !is_question(options->rest)) {
    if (!options) fmt::print(stderr, "millrace acls: {}\n", options.error().message());
    fmt::print(asked ? stdout : stderr, fmt::runtime(kUsage), help_lines(kOptions));
    return asked ? kExitOk : kExitUsage;
  }
  const bool of_file = options->rest[0] == "check" || options->rest[0] == "test";
  const Result<int> status = of_file ? look_at_file(*options) : ask_server(*options);
  if (status) return *status;
  fmt::print(stderr, "millrace acls: {}{}\n", status.error().message(),
             of_file ? std::string() : hint_for(status.error(), *options));
  return of_file ? kExitConfig : kExitFailure;
}

}  // namespace millrace::app
