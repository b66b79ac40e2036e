// Signature: AWS Signature Version 4 for one HTTP request ("Create a signed AWS API request", AWS General Reference).
// The path and the query come percent-encoded, once, as they go over the wire: S3's rule. Pure.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::connect::s3 {

struct Credentials {
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;  // empty: none
};

struct SigningScope {
  std::string region;
  std::string service;
  std::chrono::seconds time{};  // since 1970
};

struct SignedRequest {
  std::string method;
  std::string path;                                            // encoded, "/" at least
  std::vector<std::pair<std::string, std::string>> query{};    // names and values encoded
  std::vector<std::pair<std::string, std::string>> headers{};  // all that are to be signed, host among them
  std::string payload_hash;                                    // SHA-256 in lower-case hexadecimal, or UNSIGNED-PAYLOAD
};

/// "20150830T123600Z"
std::string amz_date(std::chrono::seconds time);
std::string canonical_request(const SignedRequest& request);
std::string string_to_sign(const SigningScope& scope, std::string_view canonical);
/// The value of the Authorization header.
std::string authorization(const SignedRequest& request, const SigningScope& scope, const Credentials& credentials);

}  // namespace millrace::connect::s3
