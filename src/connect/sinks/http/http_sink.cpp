#include "connect/sinks/http/http_sink.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "codec/base64.h"
#include "connect/converters/json_line.h"
#include "connect/json_members.h"
#include "connect/runtime/failed_record.h"
#include "connect/settings/destination_url.h"
#include "connect/sinks/http/http_answer.h"
#include "connect/sinks/retry_after.h"
#include "net/http/client.h"

namespace millrace::connect::http {
namespace {

using std::chrono::milliseconds;
using enum KeyType;

constexpr ConfigKey kRows[] = {
    {.name = "http.api.url",
     .required = true,
     .importance = Importance::high,
     .group = "Connection",
     .documentation = "The URL to send records to; ${topic} and ${key} are replaced.",
     .not_empty = true},
    {.name = "request.method",
     .standard = "POST",
     .importance = Importance::high,
     .group = "Connection",
     .documentation = "HTTP request method.",
     .choices = "POST, PUT, PATCH",
     .any_case = true},
    {.name = "headers",
     .standard = "",
     .group = "Connection",
     .documentation = "Headers of every request: name:value, separated by header.separator."},
    {.name = "header.separator", .standard = "|", .group = "Connection", .documentation = "Separator of 'headers'."},
    {.name = "auth.type",
     .standard = "NONE",
     .group = "Authentication",
     .documentation = "Authentication type of the endpoint.",
     .choices = "NONE, BASIC",
     .any_case = true},
    {.name = "connection.user",
     .standard = "",
     .group = "Authentication",
     .documentation = "The username of BASIC authentication."},
    {.name = "connection.password",
     .type = password,
     .standard = "",
     .group = "Authentication",
     .documentation = "The password of BASIC authentication."},
    {.name = "batch.max.size",
     .type = integer,
     .standard = "1",
     .importance = Importance::high,
     .group = "Batching",
     .documentation = "The number of records accumulated in a batch before the HTTP API is invoked.",
     .min = 1,
     .max = 100'000},
    {.name = "batch.prefix", .standard = "", .group = "Batching", .documentation = "Text in front of a batch."},
    {.name = "batch.suffix", .standard = "", .group = "Batching", .documentation = "Text behind a batch."},
    {.name = "batch.separator",
     .standard = ",",
     .group = "Batching",
     .documentation = "Text between the records of a batch."},
    {.name = "batch.json.as.array",
     .type = boolean,
     .standard = "false",
     .group = "Batching",
     .documentation = "Whether a batch is a JSON array."},
    {.name = "request.body.format",
     .standard = "json",
     .group = "Batching",
     .documentation = "The Content-Type of bodies: application/json or text/plain.",
     .choices = "json, string",
     .any_case = true},
    {.name = "behavior.on.null.values",
     .standard = "fail",
     .group = "Errors",
     .documentation = "How to handle records with a null value.",
     .choices = "fail, ignore, log",
     .any_case = true},
    {.name = "behavior.on.error",
     .standard = "fail",
     .group = "Errors",
     .documentation = "How to handle records that the endpoint refuses for good.",
     .choices = "fail, ignore, log",
     .any_case = true},
    {.name = "max.retries",
     .type = integer,
     .standard = "10",
     .group = "Retries",
     .documentation = "Retries of a request before the task starts anew.",
     .min = 0},
    {.name = "retry.backoff.ms",
     .type = integer,
     .standard = "3000",
     .group = "Retries",
     .documentation = "How long to wait before the first retry; doubles with each.",
     .min = 0},
    {.name = "http.connect.timeout.ms",
     .type = integer,
     .standard = "30000",
     .group = "Connection",
     .documentation = "How long to wait for a connection.",
     .min = 1},
    {.name = "http.request.timeout.ms",
     .type = integer,
     .standard = "30000",
     .group = "Connection",
     .documentation = "How long to wait for an answer.",
     .min = 1},
};

void check_more(const Settings& settings, std::vector<ConfigValue>& values) {
  const std::string url = settings.text("http.api.url");
  if (const auto fault = url_fault(url)) {
    add_error(values, "http.api.url", fmt::format("Invalid value {} for configuration http.api.url: {}", url, *fault));
  }
}

class HttpSink final : public Sink {
 public:
  explicit HttpSink(SinkContext context)
      : context_(std::move(context)),
        client_({.connect_timeout = context_.settings.ms("http.connect.timeout.ms"),
                 .request_timeout = context_.settings.ms("http.request.timeout.ms")},
                &context_.stopping) {
    const Settings& settings = context_.settings;
    url_ = settings.text("http.api.url");
    method_ = settings.text("request.method");
    std::ranges::transform(method_, method_.begin(), [](char c) { return static_cast<char>(std::toupper(c)); });
    as_array_ = settings.flag("batch.json.as.array");
    one_by_one_ = settings.number("batch.max.size") == 1;
    tolerated_ = settings.choice("behavior.on.error") != "fail";
    fail_null_ = settings.choice("behavior.on.null.values") == "fail";
    headers_.emplace_back("Content-Type",
                          settings.choice("request.body.format") == "json" ? "application/json" : "text/plain");
    add_headers(settings.text("headers"), settings.text("header.separator"));
    if (settings.choice("auth.type") == "basic") {
      const std::string pair = settings.text("connection.user") + ":" + settings.text("connection.password");
      headers_.emplace_back("Authorization", "Basic " + to_base64(as_bytes(pair)));
    }
  }

  Result<void> open(std::span<const LaneStart>) override { return {}; }

  // Records go in their order; a run of records with the same URL shares a request.
  Outcome put(std::span<const SinkRecord> records) override {
    Outcome all;
    for (std::size_t at = 0; at < records.size();) {
      arena_.reset();
      if (records[at].image.value.is_null()) {
        if (fail_null_)
          all.rejected.push_back({at, std::string(kDataException), "The record has a null value.", tolerated_});
        ++at;
        continue;
      }
      const std::string url = url_of(records[at]);
      std::size_t end = at + 1;
      while (!one_by_one_ && end < records.size() && !records[end].image.value.is_null() && url_of(records[end]) == url)
        ++end;
      Outcome sent = send(url, records.subspan(at, end - at));
      if (sent.kind == Outcome::Kind::reject && end - at == 1) {
        all.rejected.push_back({at, sent.error_class, sent.error.message(), tolerated_});
      } else if (sent.kind != Outcome::Kind::done) {
        sent.taken = at;
        sent.rejected = std::move(all.rejected);
        return sent;
      }
      at = end;
    }
    return all;
  }

 private:
  void add_headers(std::string_view text, std::string_view separator) {
    while (!text.empty()) {
      const auto end = separator.empty() ? std::string_view::npos : text.find(separator);
      const std::string_view one = text.substr(0, end);
      if (const auto colon = one.find(':'); colon != std::string_view::npos) {
        headers_.emplace_back(one.substr(0, colon), one.substr(colon + 1));
      }
      text = end == std::string_view::npos ? std::string_view() : text.substr(end + separator.size());
    }
  }
  [[nodiscard]] std::string url_of(const SinkRecord& record) const {
    if (url_.find("${") == std::string::npos) return url_;
    std::string url = url_;
    const auto put_in = [&url](std::string_view name, std::string_view value) {
      for (auto at = url.find(name); at != std::string::npos; at = url.find(name, at)) {
        const std::string encoded = net::http::percent_encode(value);
        url.replace(at, name.size(), encoded);
        at += encoded.size();
      }
    };
    put_in("${topic}", record.image.topic);
    put_in("${key}",
           record.image.key.kind == Datum::Kind::value ? scalar_text(record.image.key.value).value_or("") : "");
    return url;
  }
  void append(const Datum& value) {
    if (value.kind == Datum::Kind::bytes) return body_.append(value.bytes);
    if (value.value.is_string() && headers_.front().second == "text/plain")
      return body_.append(value.value.characters(arena_));
    append_json_line(value, arena_, body_);
  }
  Outcome send(const std::string& url, std::span<const SinkRecord> records) {
    const Settings& settings = context_.settings;
    body_.clear();
    if (!one_by_one_ || as_array_) body_.append(as_array_ ? "[" : settings.text("batch.prefix"));
    for (std::size_t i = 0; i < records.size(); ++i) {
      if (i != 0) body_.append(as_array_ ? "," : settings.text("batch.separator"));
      append(records[i].image.value);
    }
    if (!one_by_one_ || as_array_) body_.append(as_array_ ? "]" : settings.text("batch.suffix"));
    const auto response =
        client_.perform({.method = method_, .url = url, .headers = headers_, .body = body_.view(), .has_body = true});
    if (!response) return Outcome::retry(response.error());
    switch (judge(*response)) {
      case Verdict::taken:
        break;
      case Verdict::later: {
        Outcome waiting = Outcome::retry(refusal(*response));
        waiting.retry_after = retry_after(*response);
        return waiting;
      }
      case Verdict::unauthorized:
        return Outcome::fatal(refusal(*response));
      case Verdict::refused:
        return Outcome::reject(refusal(*response), std::string(kConnectException));
    }
    return Outcome::done();
  }

  SinkContext context_;
  net::http::Client client_;
  std::string url_;
  std::string method_;
  net::http::Fields headers_;
  bool as_array_ = false;
  bool one_by_one_ = true;
  bool tolerated_ = false;
  bool fail_null_ = true;
  Buffer body_;
  sql::Arena arena_;
};

}  // namespace

const SinkClass& http_sink_class() {
  static const SinkClass row{
      .class_name = "io.confluent.connect.http.HttpSinkConnector",
      .version = "1.7.0-millrace",
      .rows = kRows,
      .check = check_more,
      .limits =
          [](const Settings& settings) {
            return BatchLimits{.records = static_cast<std::size_t>(settings.number("batch.max.size")), .bytes = 4_MiB};
          },
      .retries =
          [](const Settings& settings) {
            return RetryLimits{settings.number("max.retries"), settings.ms("retry.backoff.ms"), milliseconds(60'000)};
          },
      .make = [](SinkContext context) -> std::unique_ptr<Sink> {
        return std::make_unique<HttpSink>(std::move(context));
      },
  };
  return row;
}

}  // namespace millrace::connect::http
