#include "kafka/server/sasl_session.h"

#include <array>
#include <utility>

namespace millrace::kafka {
namespace {

struct Named {
  SaslMechanism mechanism;
  std::string_view name;
};
constexpr std::array<Named, 3> kNames = {{{SaslMechanism::plain, "PLAIN"},
                                          {SaslMechanism::scram_sha_256, "SCRAM-SHA-256"},
                                          {SaslMechanism::scram_sha_512, "SCRAM-SHA-512"}}};

}  // namespace

std::string_view to_string(SaslMechanism mechanism) {
  return kNames.at(static_cast<std::size_t>(mechanism)).name;
}

std::optional<SaslMechanism> mechanism_named(std::string_view name) {
  for (const Named& named : kNames) {
    if (named.name == name) return named.mechanism;
  }
  return std::nullopt;
}

void SaslSession::begin(SaslMechanism mechanism, bool raw) {
  mechanism_ = mechanism;
  raw_ = raw;
  scram_.reset();
  if (mechanism == SaslMechanism::scram_sha_256) scram_.emplace(authenticator_.begin_scram(auth::ScramKind::sha256));
  if (mechanism == SaslMechanism::scram_sha_512) scram_.emplace(authenticator_.begin_scram(auth::ScramKind::sha512));
}

void SaslSession::take(ByteView token, Executor& reply_to, Done done) {
  if (!mechanism_) return done(fail(ErrorCode::protocol_error, "no mechanism was chosen"));
  if (!scram_) {
    mechanism_.reset();
    return take_plain(token, reply_to, std::move(done));
  }
  Result<Step> step = take_scram(token);
  if (!step || step->identity) {
    authenticator_.count(auth::Proof::scram, step.has_value());
    mechanism_.reset();
    scram_.reset();
  }
  done(std::move(step));
}

Result<SaslSession::Step> SaslSession::take_scram(ByteView token) {
  MR_TRY_ASSIGN(std::string answer, scram_->step(as_text(token)));
  Step step{std::move(answer), std::nullopt};
  if (scram_->done()) step.identity = auth::Identity{scram_->user(), auth::Proof::scram};
  return step;
}

// message = [authzid] NUL authcid NUL passwd (RFC 4616)
void SaslSession::take_plain(ByteView token, Executor& reply_to, Done done) {
  const std::string_view text = as_text(token);
  const std::size_t first = text.find('\0');
  const std::size_t second = first == std::string_view::npos ? first : text.find('\0', first + 1);
  if (second == std::string_view::npos || text.find('\0', second + 1) != std::string_view::npos) {
    return done(fail(ErrorCode::malformed, "PLAIN: not authzid, NUL, name, NUL, password"));
  }
  const std::string_view speaks_for = text.substr(0, first);
  std::string name(text.substr(first + 1, second - first - 1));
  if (name.empty() || (!speaks_for.empty() && speaks_for != name)) {
    return done(fail(ErrorCode::permission_denied, "PLAIN: nobody may speak for another user"));
  }
  authenticator_.check_password(std::move(name), std::string(text.substr(second + 1)), reply_to,
                                [done = std::move(done)](Result<auth::Identity> verdict) mutable {
                                  if (!verdict) return done(std::unexpected(std::move(verdict).error()));
                                  done(Step{{}, *std::move(verdict)});
                                });
}

}  // namespace millrace::kafka
