// millrace acls: a permissions file looked at before a server reads it: is it right, and what does it allow?
#include <fmt/format.h>

#include <fstream>
#include <sstream>

#include "app/options.h"
#include "app/verb.h"
#include "auth/permissions.h"

namespace millrace::app {
namespace {

constexpr OptionRow kOptions[] = {
    {"--user", "NAME", "test: who asks; without it nobody who logged in"},
    {"--client", "ID", "test: its client identifier"},
};

constexpr std::string_view kUsage =
    "usage: millrace acls check FILE\n       millrace acls test FILE publish|subscribe TOPIC [options]\n\n{}\n"
    "check prints the rules as they are understood. test prints allowed (status 0) or denied (status 1).\n"
    "  millrace acls test permissions publish trucks/t1/speed --user truck --client t1\n";

Result<std::shared_ptr<const auth::Permissions>> read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  if (in) text << in.rdbuf();
  if (!in) return fail(ErrorCode::not_found, "cannot read", path);
  return auth::Permissions::parse(text.view());
}

int test(const auth::Permissions& permissions, const Options& options) {
  auth::PermissionSlot slot;
  slot.store(std::make_shared<const auth::Permissions>(permissions));
  const bool known = options.has("--user");
  auth::Access access(&slot, {options.get("--user"), known ? auth::Proof::password : auth::Proof::none},
                      options.get("--client"));
  const bool publish = options.rest[2] == "publish";
  const bool allowed = publish ? access.may_publish(options.rest[3]) : access.may_subscribe(options.rest[3]);
  fmt::print("{}\n", allowed ? "allowed" : "denied");
  return allowed ? kExitOk : kExitFailure;
}

}  // namespace

int acls_main(Arguments arguments) {
  const Result<Options> options = parse_options(arguments, kOptions);
  const bool asked = options && options->has("--help");
  const auto words = options ? options->rest : std::vector<std::string>();
  const bool checks = words.size() == 2 && words[0] == "check";
  const bool tests = words.size() == 4 && words[0] == "test" && (words[2] == "publish" || words[2] == "subscribe");
  if (asked || (!checks && !tests)) {
    if (!options) fmt::print(stderr, "millrace acls: {}\n", options.error().message());
    fmt::print(asked ? stdout : stderr, fmt::runtime(kUsage), help_lines(kOptions));
    return asked ? kExitOk : kExitUsage;
  }
  const auto permissions = read(words[1]);
  if (!permissions) {
    fmt::print(stderr, "millrace acls: {}\n", permissions.error().message());
    return kExitConfig;
  }
  if (tests) return test(**permissions, *options);
  for (const auth::PermissionRule& rule : (*permissions)->rules()) fmt::print("{}\n", to_text(rule));
  return kExitOk;
}

}  // namespace millrace::app
