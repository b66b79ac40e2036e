// millrace users: the people, programs and devices that may log in. `list`, `add`, `passwd` and `delete` ask a running
// server in Kafka's protocol, as kafka-configs does, so that a change is durable and seen at once; `hash` makes lines
// for a password file without a server.
#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <string>

#include "app/options.h"
#include "app/server_address.h"
#include "app/verb.h"
#include "auth/credential.h"
#include "auth/user_table.h"
#include "base/rng.h"
#include "kafka/client/client.h"
#include "kafka/protocol/messages/alter_user_scram_credentials.h"
#include "kafka/protocol/messages/describe_user_scram_credentials.h"

namespace millrace::app {
namespace {

using namespace kafka;
using auth::ScramKind;

constexpr OptionRow kOptions[] = {
    kKafkaOption,
    kKafkaUserOption,
    kKafkaTlsOption,
    kKafkaAuthorityOption,
    {"--kind", "KIND", "hash: scram (default): programs and people; password: people, not Kafka; token: devices"},
};

constexpr std::string_view kUsage =
    "usage: millrace users list|add|passwd|delete|hash [NAME] [options]\n\n{}\n"
    "The secret of add, passwd and hash is read from standard input, never from the command line:\n"
    "  millrace users add ann < secret\n"
    "  millrace users hash truck-7 --kind token < truck-7.token >> users      # lines for auth.password.file\n"
    "Where a listener asks for a log-in, only a super user may do this (docs/security.md).\n";

constexpr std::size_t kSalt = 16;
constexpr ScramKind kKinds[] = {ScramKind::sha256, ScramKind::sha512};

using Described = DescribeUserScramCredentialsResponse;

std::unexpected<Error> refused(std::string_view what, std::int16_t code, std::optional<std::string_view> message) {
  return fail(ErrorCode::invalid_argument, "the server says no",
              fmt::format("{}: {} (Kafka error {})", what, message.value_or(""), code));
}

Result<std::string> read_secret() {
  std::string secret;
  std::getline(std::cin, secret);
  if (secret.ends_with('\r')) secret.pop_back();
  if (secret.empty()) return fail(ErrorCode::invalid_argument, "the secret on standard input is empty");
  return secret;
}

Result<Answer<Described>> describe(Client& client, std::optional<std::string_view> name) {
  DescribeUserScramCredentialsRequest request;
  request.users.reset();
  if (name) request.users.emplace().push_back({*name});
  MR_TRY_ASSIGN(auto answer, client.ask<Described>(ApiKey::describe_user_scram_credentials, 0, request));
  if (answer.message.error_code != 0) {
    return refused("users", answer.message.error_code, answer.message.error_message);
  }
  return answer;
}

Result<void> alter(Client& client, const AlterUserScramCredentialsRequest& request) {
  MR_TRY_ASSIGN(const auto answer,
                client.ask<AlterUserScramCredentialsResponse>(ApiKey::alter_user_scram_credentials, 0, request));
  for (const auto& result : answer.message.results) {
    if (result.error_code != 0) return refused(result.user, result.error_code, result.error_message);
  }
  return {};
}

Result<std::string> list(Client& client) {
  MR_TRY_ASSIGN(const auto answer, describe(client, std::nullopt));
  std::string text;
  for (const auto& user : answer.message.results) {
    text += user.user;
    for (const auto& credential : user.credential_infos) {
      text += fmt::format(" {}(i={})", to_string(static_cast<ScramKind>(credential.mechanism)), credential.iterations);
    }
    text += '\n';
  }
  return text;
}

Result<std::string> set_password(Client& client, const std::string& name, bool is_new) {
  MR_TRY_ASSIGN(const auto answer, describe(client, name));
  const bool exists =
      std::ranges::any_of(answer.message.results, [](const auto& user) { return user.error_code == 0; });
  if (exists == is_new) {
    return fail(is_new ? ErrorCode::already_exists : ErrorCode::not_found,
                is_new ? "the user exists: passwd changes the password" : "there is no such user: add makes one", name);
  }
  MR_TRY_ASSIGN(const std::string secret, read_secret());
  const auto salt = auth::random_bytes(kSalt, &system_entropy);
  std::vector<Digest> salted;
  AlterUserScramCredentialsRequest request;
  for (const ScramKind kind : kKinds) {
    Digest& key = salted.emplace_back(digest_size(auth::digest_of(kind)));
    pbkdf2(auth::digest_of(kind), as_bytes(secret), salt, auth::kMinIterations, key.bytes());
  }
  for (std::size_t i = 0; i < salted.size(); ++i) {
    request.upsertions.push_back({name, static_cast<std::int8_t>(kKinds[i]),
                                  static_cast<std::int32_t>(auth::kMinIterations), salt, salted[i].view()});
  }
  MR_TRY(alter(client, request));
  return std::string();
}

Result<std::string> remove(Client& client, const std::string& name) {
  MR_TRY_ASSIGN(const auto answer, describe(client, name));
  AlterUserScramCredentialsRequest request;
  for (const auto& user : answer.message.results) {
    if (user.error_code != 0) return refused(name, user.error_code, user.error_message);
    for (const auto& credential : user.credential_infos) request.deletions.push_back({name, credential.mechanism});
  }
  MR_TRY(alter(client, request));
  return std::string();
}

Result<std::string> hash(const std::string& name, std::string_view kind) {
  if (!auth::is_user_name(name)) return fail(ErrorCode::invalid_argument, "not a user name", name);
  MR_TRY_ASSIGN(const std::string secret, read_secret());
  auth::Credentials credentials;
  if (kind == "scram") {
    for (const ScramKind scram : kKinds) {
      credentials.push_back(auth::make_scram_credential(scram, secret, &system_entropy));
    }
  } else if (kind == "password") {
    credentials.push_back(auth::make_password_credential(secret, &system_entropy));
  } else if (kind == "token") {
    MR_TRY_ASSIGN(auth::Credential token, auth::make_token_credential(secret, &system_entropy));
    credentials.push_back(std::move(token));
  } else {
    return fail(ErrorCode::invalid_argument, "--kind is scram, password or token");
  }
  std::string lines;
  for (const auth::Credential& credential : credentials) lines += name + ":" + auth::to_text(credential) + "\n";
  return lines;
}

Result<std::string> run(const Options& options) {
  const std::string& action = options.rest.front();
  const std::string name = options.rest.size() == 2 ? options.rest[1] : std::string();
  if (name.empty() && action != "list") return fail(ErrorCode::invalid_argument, "NAME is missing");
  if (action == "hash") return hash(name, options.get("--kind", "scram"));
  constexpr std::string_view kActions[] = {"list", "add", "passwd", "delete"};
  if (std::ranges::find(kActions, action) == std::end(kActions)) {
    return fail(ErrorCode::invalid_argument, "not list, add, passwd, delete or hash", action);
  }
  MR_TRY_ASSIGN(Client client, open_client(options));
  if (action == "list") return list(client);
  if (action == "delete") return remove(client, name);
  return set_password(client, name, action == "add");
}

}  // namespace

int users_main(Arguments arguments) {
  const Result<Options> options = parse_options(arguments, kOptions);
  if (!options || options->has("--help") || options->rest.empty()) {
    const bool asked = options && options->has("--help");
    if (!options) fmt::print(stderr, "millrace users: {}\n", options.error().message());
    fmt::print(asked ? stdout : stderr, fmt::runtime(kUsage), help_lines(kOptions));
    return asked ? kExitOk : kExitUsage;
  }
  const Result<std::string> text = run(*options);
  if (!text) {
    fmt::print(stderr, "millrace users: {}{}\n", text.error().message(), hint_for(text.error(), *options));
    return kExitFailure;
  }
  fmt::print("{}", *text);
  return kExitOk;
}

}  // namespace millrace::app
