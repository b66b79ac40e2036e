#include "connect/sinks/s3/signature.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <ctime>
#include <map>

#include "codec/digest.h"

namespace millrace::connect::s3 {
namespace {

// Header names in lower case, values trimmed with runs of blanks as one; values of one name joined by commas.
std::map<std::string, std::string> canonical_headers(const SignedRequest& request) {
  std::map<std::string, std::string> headers;
  for (const auto& [name, value] : request.headers) {
    std::string lower(name);
    std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    std::string text;
    for (const char c : value) {
      const bool blank = c == ' ' || c == '\t' || c == '\n' || c == '\r';
      if (blank && (text.empty() || text.back() == ' ')) continue;
      text += blank ? ' ' : c;
    }
    while (text.ends_with(' ')) text.pop_back();
    auto [place, fresh] = headers.emplace(std::move(lower), text);
    if (!fresh) place->second += "," + text;
  }
  return headers;
}

std::string signed_names(const std::map<std::string, std::string>& headers) {
  std::string names;
  for (const auto& [name, value] : headers) names += (names.empty() ? "" : ";") + name;
  return names;
}

std::string scope_text(const SigningScope& scope) {
  return fmt::format("{}/{}/{}/aws4_request", amz_date(scope.time).substr(0, 8), scope.region, scope.service);
}

}  // namespace

std::string amz_date(std::chrono::seconds time) {
  return fmt::format("{:%Y%m%dT%H%M%SZ}", fmt::gmtime(static_cast<std::time_t>(time.count())));
}

std::string canonical_request(const SignedRequest& request) {
  auto query = request.query;
  std::ranges::sort(query);
  std::string out = request.method + "\n" + (request.path.empty() ? "/" : request.path) + "\n";
  for (std::size_t i = 0; i < query.size(); ++i) {
    out += (i == 0 ? "" : "&") + query[i].first + "=" + query[i].second;
  }
  out += '\n';
  const auto headers = canonical_headers(request);
  for (const auto& [name, value] : headers) out += name + ":" + value + "\n";
  return out + "\n" + signed_names(headers) + "\n" + request.payload_hash;
}

std::string string_to_sign(const SigningScope& scope, std::string_view canonical) {
  return fmt::format("AWS4-HMAC-SHA256\n{}\n{}\n{}", amz_date(scope.time), scope_text(scope),
                     digest(DigestKind::sha256, as_bytes(canonical)).hex());
}

std::string authorization(const SignedRequest& request, const SigningScope& scope, const Credentials& credentials) {
  const auto mac = [](ByteView key, std::string_view text) { return hmac(DigestKind::sha256, key, as_bytes(text)); };
  const std::string secret = "AWS4" + credentials.secret_access_key;
  const Digest day = mac(as_bytes(secret), amz_date(scope.time).substr(0, 8));
  const Digest region = mac(day.view(), scope.region);
  const Digest service = mac(region.view(), scope.service);
  const Digest key = mac(service.view(), "aws4_request");
  const std::string signature = mac(key.view(), string_to_sign(scope, canonical_request(request))).hex();
  return fmt::format("AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={}, Signature={}", credentials.access_key_id,
                     scope_text(scope), signed_names(canonical_headers(request)), signature);
}

}  // namespace millrace::connect::s3
