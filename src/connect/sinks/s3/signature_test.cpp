#include "connect/sinks/s3/signature.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "codec/digest.h"
#include "net/http/client.h"

namespace millrace::connect::s3 {
namespace {

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// Raw text of a target as a client encodes it: what is encoded already stays.
std::string encoded(std::string_view text, bool path) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    out += text[i] == '%' ? "%" : net::http::percent_encode(text.substr(i, 1), path);
  }
  return out;
}

struct Case {
  SignedRequest request;
  Credentials credentials{"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", ""};
  SigningScope scope{"us-east-1", "service", std::chrono::seconds(1440938160)};
};

Case read_case(const std::filesystem::path& folder) {
  Case read_back;
  const std::string context = read(folder / "context.json");
  std::istringstream lines(read(folder / "request.txt"));
  std::string line;
  std::getline(lines, line);
  SignedRequest& request = read_back.request;
  request.method = line.substr(0, line.find(' '));
  std::string target = line.substr(line.find(' ') + 1);
  target.resize(target.rfind(' '));
  const auto question = target.find('?');
  request.path = encoded(target.substr(0, question), true);
  if (question != std::string::npos) {
    std::istringstream query(target.substr(question + 1));
    for (std::string pair; std::getline(query, pair, '&');) {
      const auto equals = pair.find('=');
      request.query.emplace_back(encoded(pair.substr(0, equals), false),
                                 equals == std::string::npos ? "" : encoded(pair.substr(equals + 1), false));
    }
  }
  std::string body;
  bool in_body = false;
  while (std::getline(lines, line)) {
    if (in_body) {
      body += line;
    } else if (line.empty()) {
      in_body = true;
    } else if (line.front() == ' ') {
      request.headers.back().second += "\n" + line;
    } else {
      request.headers.emplace_back(line.substr(0, line.find(':')), line.substr(line.find(':') + 1));
    }
  }
  request.payload_hash = digest(DigestKind::sha256, as_bytes(body)).hex();
  request.headers.emplace_back("X-Amz-Date", amz_date(read_back.scope.time));
  if (context.find("\"sign_body\": true") != std::string::npos) {
    request.headers.emplace_back("x-amz-content-sha256", request.payload_hash);
  }
  if (const auto token = context.find("\"token\": \""); token != std::string::npos) {
    const auto begin = token + 10;
    read_back.credentials.session_token = context.substr(begin, context.find('"', begin) - begin);
    if (context.find("\"omit_session_token\": true") == std::string::npos) {
      request.headers.emplace_back("X-Amz-Security-Token", read_back.credentials.session_token);
    }
  }
  return read_back;
}

// AWS's own vectors, but for those that fold "." and "//" of a path, which S3 never does.
TEST(Signature, AwsSigningTestSuite) {
  std::size_t cases = 0;
  for (const auto& folder : std::filesystem::directory_iterator(MILLRACE_SOURCE_DIR "/tests/data/aws-sigv4")) {
    if (!folder.is_directory()) continue;
    SCOPED_TRACE(folder.path().filename().string());
    const Case one = read_case(folder.path());
    const std::string canonical = canonical_request(one.request);
    EXPECT_EQ(canonical, read(folder.path() / "header-canonical-request.txt"));
    EXPECT_EQ(string_to_sign(one.scope, canonical), read(folder.path() / "header-string-to-sign.txt"));
    const std::string signed_request = read(folder.path() / "header-signed-request.txt");
    EXPECT_NE(signed_request.find("Authorization:" + authorization(one.request, one.scope, one.credentials)),
              std::string::npos);
    ++cases;
  }
  EXPECT_GE(cases, 30U);
}

TEST(Signature, AnotherSecretGivesAnotherSignature) {
  SignedRequest request{.method = "PUT", .path = "/bucket/year%3D2026/a%2Bb", .payload_hash = "x"};
  request.headers = {{"host", "127.0.0.1"}};
  const SigningScope scope{"us-east-1", "s3", std::chrono::seconds(0)};
  EXPECT_NE(authorization(request, scope, {"id", "one", ""}), authorization(request, scope, {"id", "two", ""}));
}

}  // namespace
}  // namespace millrace::connect::s3
