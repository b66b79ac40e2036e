// Bucket: the few S3 operations a sink needs, signed, on one bucket: put an object, put it in parts, look after uploads
// that were left. Every operation may be repeated; none retries by itself.
//
// Thread: the task's; calls block.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "connect/runtime/sink.h"
#include "connect/sinks/s3/signature.h"
#include "net/http/client.h"

namespace millrace::connect::s3 {

/// Where and as whom. From the connector's settings and the program's AWS_* variables.
struct BucketAddress {
  std::string endpoint;  // "https://s3.eu-west-1.amazonaws.com", no '/' at the end
  std::string region;
  std::string bucket;
  bool path_style = true;
};

class Bucket {
 public:
  Bucket(BucketAddress address, Credentials credentials, const Clock& clock, net::http::Client client);

  /// Replaces the object. Errors as for all: unavailable and timed_out (try again), busy (SlowDown, 503: try again
  /// later), permission_denied, not_found (no such bucket), invalid_argument (what S3 says is in detail).
  Result<void> put(const std::string& key, ByteView body, std::string_view content_type);

  Result<std::string> begin_parts(const std::string& key, std::string_view content_type);
  /// Returns the part's ETag. `number` from 1.
  Result<std::string> put_part(const std::string& key, const std::string& upload, int number, ByteView body);
  Result<void> complete(const std::string& key, const std::string& upload, const std::vector<std::string>& etags);
  Result<void> abort(const std::string& key, const std::string& upload);
  struct OpenUpload {
    std::string key;
    std::string upload;
  };
  /// How long S3 asked to wait when it last refused.
  [[nodiscard]] std::optional<std::chrono::milliseconds> retry_after() const { return retry_after_; }
  /// At most 1,000 under the prefix.
  Result<std::vector<OpenUpload>> open_uploads(const std::string& prefix);

 private:
  using Query = std::vector<std::pair<std::string, std::string>>;
  Result<net::http::ClientResponse> call(std::string_view method, const std::string& key, Query query, ByteView body,
                                         std::string_view content_type = {});
  Result<net::http::ClientResponse> call_once(std::string_view method, const std::string& key, const Query& query,
                                              ByteView body, std::string_view content_type);

  BucketAddress address_;
  Credentials credentials_;
  const Clock& clock_;
  net::http::Client client_;
  std::chrono::seconds skew_{0};  // the server's clock less ours, once it refused a request for that
  std::optional<std::chrono::milliseconds> retry_after_;
  std::string scheme_;
  std::string host_;
  std::string base_path_;  // "" or "/bucket"
};

/// An HTTP date ("Sun, 06 Nov 1994 08:49:37 GMT", RFC 9110 section 5.6.7, the preferred form) in seconds since 1970.
std::optional<std::chrono::seconds> http_date(std::string_view text);

/// The text between <tag> and </tag>, first occurrence, entities resolved.
std::string xml_text(std::string_view xml, std::string_view tag);

}  // namespace millrace::connect::s3
