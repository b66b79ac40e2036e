#include "connect/sinks/s3/bucket.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/log.h"
#include "codec/digest.h"
#include "connect/sinks/retry_after.h"

namespace millrace::connect::s3 {
namespace {

using net::http::ClientResponse;
using net::http::percent_encode;

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

/// What S3's answer means for whoever asked ("Error responses", Amazon S3 API Reference).
Error error_of(const ClientResponse& response) {
  const std::string code = xml_text(response.body, "Code");
  const std::string detail = fmt::format("{} {} {}", response.status, code, xml_text(response.body, "Message"));
  if (code == "NoSuchBucket" || code == "NoSuchUpload" || response.status == 404) {
    return {ErrorCode::not_found, "S3 does not know the bucket or upload", detail};
  }
  if (response.status == 429 || response.status == 503 || code == "SlowDown") {
    return {ErrorCode::busy, "S3 asks to slow down", detail};
  }
  if (code == "RequestTimeTooSkewed" || code == "RequestTimeout" || code == "OperationAborted" || code == "BadDigest" ||
      code == "XAmzContentSHA256Mismatch" || code == "IncompleteBody") {
    return {ErrorCode::unavailable, "S3 did not take the request", detail};
  }
  if (response.status == 401 || response.status == 403) return {ErrorCode::permission_denied, "S3 refuses", detail};
  // 200 with an error in it: CompleteMultipartUpload.
  if (response.status >= 500 || response.status < 400) {
    return {ErrorCode::unavailable, "S3 failed", detail};
  }
  return {ErrorCode::invalid_argument, "S3 rejects the request", detail};
}

}  // namespace

std::optional<std::chrono::seconds> http_date(std::string_view text) {
  static constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                               "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto number = [&text](std::size_t at, std::size_t size) {
    int value = -1;
    const auto [end, error] = std::from_chars(text.data() + at, text.data() + at + size, value);
    return error == std::errc() && end == text.data() + at + size ? value : -1;
  };
  if (text.size() != 29 || !text.ends_with(" GMT") || text[3] != ',') return std::nullopt;
  const auto month = std::ranges::find(kMonths, text.substr(8, 3));
  const int parts[] = {number(5, 2), number(12, 4), number(17, 2), number(20, 2), number(23, 2)};
  if (month == kMonths.end() || std::ranges::min(parts) < 0) return std::nullopt;
  using namespace std::chrono;
  const auto date = year(parts[1]) / static_cast<int>(month - kMonths.begin() + 1) / parts[0];
  if (!date.ok()) return std::nullopt;
  return sys_days(date).time_since_epoch() + hours(parts[2]) + minutes(parts[3]) + seconds(parts[4]);
}

std::string xml_text(std::string_view xml, std::string_view tag) {
  const std::string open = fmt::format("<{}>", tag);
  const auto from = xml.find(open);
  if (from == std::string_view::npos) return {};
  const auto to = xml.find(fmt::format("</{}>", tag), from);
  if (to == std::string_view::npos) return {};
  std::string text(xml.substr(from + open.size(), to - from - open.size()));
  replace_all(text, "&quot;", "\"");
  replace_all(text, "&#34;", "\"");
  replace_all(text, "&lt;", "<");
  replace_all(text, "&gt;", ">");
  replace_all(text, "&amp;", "&");
  return text;
}

Bucket::Bucket(BucketAddress address, Credentials credentials, const Clock& clock, net::http::Client client)
    : address_(std::move(address)), credentials_(std::move(credentials)), clock_(clock), client_(std::move(client)) {
  const auto scheme_end = address_.endpoint.find("://");
  scheme_ = address_.endpoint.substr(0, scheme_end + 3);
  host_ = address_.endpoint.substr(scheme_end + 3);
  if (const auto slash = host_.find('/'); slash != std::string::npos) {
    base_path_ = host_.substr(slash);
    host_.resize(slash);
    while (base_path_.ends_with('/')) base_path_.pop_back();
  }
  if (address_.path_style) {
    base_path_ += "/" + address_.bucket;
  } else {
    host_ = address_.bucket + "." + host_;
  }
}

// A clock that is off by more than a quarter of an hour makes S3 refuse every signature: its answer tells the time.
Result<ClientResponse> Bucket::call(std::string_view method, const std::string& key, Query query, ByteView body,
                                    std::string_view content_type) {
  retry_after_.reset();
  MR_TRY_ASSIGN(auto response, call_once(method, key, query, body, content_type));
  if (response.status == 403 && xml_text(response.body, "Code") == "RequestTimeTooSkewed") {
    if (const auto theirs = http_date(response.header("date"))) {
      skew_ = *theirs - std::chrono::duration_cast<std::chrono::seconds>(clock_.wall());
      log::warn("clock_differs_from_s3", {{"by_s", skew_.count()}});
      MR_TRY_ASSIGN(response, call_once(method, key, query, body, content_type));
    }
  }
  if (!response.ok()) {
    retry_after_ = connect::retry_after(response);
    return std::unexpected<Error>(error_of(response));
  }
  return response;
}

Result<ClientResponse> Bucket::call_once(std::string_view method, const std::string& key, const Query& query,
                                         ByteView body, std::string_view content_type) {
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(clock_.wall()) + skew_;
  SignedRequest signing;
  signing.method = method;
  signing.path = base_path_ + "/" + percent_encode(key, true);
  signing.query = query;
  signing.payload_hash = digest(DigestKind::sha256, body).hex();
  signing.headers = {{"host", host_}, {"x-amz-content-sha256", signing.payload_hash}, {"x-amz-date", amz_date(now)}};
  if (!credentials_.session_token.empty())
    signing.headers.emplace_back("x-amz-security-token", credentials_.session_token);
  net::http::ClientRequest request;
  request.method = method;
  request.url = scheme_ + host_ + signing.path;
  for (std::size_t i = 0; i < signing.query.size(); ++i) {
    request.url += (i == 0 ? "?" : "&") + signing.query[i].first + "=" + signing.query[i].second;
  }
  request.headers = signing.headers;
  request.headers.emplace_back("Authorization", authorization(signing, {address_.region, "s3", now}, credentials_));
  if (!content_type.empty()) request.headers.emplace_back("Content-Type", content_type);
  request.body = body;
  request.has_body = method == "PUT" || method == "POST";
  return client_.perform(request);
}

Result<void> Bucket::put(const std::string& key, ByteView body, std::string_view content_type) {
  MR_TRY(call("PUT", key, {}, body, content_type));
  return {};
}

Result<std::string> Bucket::begin_parts(const std::string& key, std::string_view content_type) {
  MR_TRY_ASSIGN(const auto response, call("POST", key, {{"uploads", ""}}, {}, content_type));
  std::string upload = xml_text(response.body, "UploadId");
  if (upload.empty()) return fail(ErrorCode::unavailable, "S3 gave no upload id");
  return upload;
}

Result<std::string> Bucket::put_part(const std::string& key, const std::string& upload, int number, ByteView body) {
  MR_TRY_ASSIGN(const auto response,
                call("PUT", key, {{"partNumber", std::to_string(number)}, {"uploadId", percent_encode(upload)}}, body));
  const std::string_view etag = response.header("etag");
  if (etag.empty()) return fail(ErrorCode::unavailable, "S3 gave no ETag");
  return std::string(etag);
}

Result<void> Bucket::complete(const std::string& key, const std::string& upload,
                              const std::vector<std::string>& etags) {
  std::string body = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
  for (std::size_t i = 0; i < etags.size(); ++i) {
    body += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", i + 1, etags[i]);
  }
  body += "</CompleteMultipartUpload>";
  MR_TRY_ASSIGN(const auto response,
                call("POST", key, {{"uploadId", percent_encode(upload)}}, as_bytes(body), "application/xml"));
  // S3 may begin with 200 and end with an error.
  if (response.body.find("<Error>") != std::string::npos) return std::unexpected<Error>(error_of(response));
  return {};
}

Result<void> Bucket::abort(const std::string& key, const std::string& upload) {
  MR_TRY(call("DELETE", key, {{"uploadId", percent_encode(upload)}}, {}));
  return {};
}

Result<std::vector<Bucket::OpenUpload>> Bucket::open_uploads(const std::string& prefix) {
  MR_TRY_ASSIGN(const auto response, call("GET", "", {{"prefix", percent_encode(prefix)}, {"uploads", ""}}, {}));
  std::vector<OpenUpload> uploads;
  std::string_view rest = response.body;
  for (auto at = rest.find("<Upload>"); at != std::string_view::npos; at = rest.find("<Upload>")) {
    const auto end = rest.find("</Upload>", at);
    if (end == std::string_view::npos) break;
    const std::string_view one = rest.substr(at, end - at);
    uploads.push_back({xml_text(one, "Key"), xml_text(one, "UploadId")});
    rest.remove_prefix(end);
  }
  return uploads;
}

}  // namespace millrace::connect::s3
