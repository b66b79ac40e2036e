#include "connect/sinks/influxdb/influxdb_sink.h"

#include <fmt/format.h>

#include <algorithm>

#include "codec/base64.h"
#include "connect/each_member.h"
#include "connect/json_members.h"
#include "connect/runtime/failed_record.h"
#include "connect/settings/destination_url.h"
#include "connect/sinks/retry_after.h"
#include "net/http/client.h"

namespace millrace::connect::influxdb {
namespace {

using std::chrono::milliseconds;
using enum KeyType;

constexpr ConfigKey kRows[] = {
    {.name = "influxdb.url",
     .required = true,
     .importance = Importance::high,
     .group = "Connection",
     .documentation = "InfluxDB's URL, http://host:8086.",
     .not_empty = true},
    {.name = "influxdb.db",
     .required = true,
     .importance = Importance::high,
     .group = "Connection",
     .documentation = "The database to write to; it must be there.",
     .not_empty = true},
    {.name = "influxdb.username", .standard = "", .group = "Connection", .documentation = "InfluxDB user."},
    {.name = "influxdb.password",
     .type = password,
     .standard = "",
     .group = "Connection",
     .documentation = "Its password."},
    {.name = "influxdb.retention.policy",
     .standard = "",
     .group = "Connection",
     .documentation = "The retention policy to write to; blank: the database's own."},
    {.name = "measurement.name.format",
     .standard = "${topic}",
     .group = "Mapping",
     .documentation = "The measurement; ${topic} is replaced."},
    {.name = "influxdb.tags",
     .type = list,
     .standard = "",
     .group = "Mapping",
     .documentation = "Members that become tags, beside those of a member 'tags' that is an object."},
    {.name = "event.time.fieldname",
     .standard = "",
     .group = "Mapping",
     .documentation = "A member with the point's time in milliseconds; blank: the record's timestamp."},
    {.name = "batch.size",
     .type = integer,
     .standard = "5000",
     .group = "Batching",
     .documentation = "The most points of one request.",
     .min = 1,
     .max = 100'000},
    {.name = "linger.ms",
     .type = long_integer,
     .standard = "100",
     .group = "Batching",
     .documentation = "How long a batch that is not full waits for more records.",
     .min = 0,
     .max = 3'600'000},
    {.name = "max.retries",
     .type = integer,
     .standard = "10",
     .group = "Retries",
     .documentation = "Retries of a request before the task starts anew.",
     .min = 0},
    {.name = "retry.backoff.ms",
     .type = integer,
     .standard = "1000",
     .group = "Retries",
     .documentation = "How long to wait before the first retry; doubles with each.",
     .min = 0},
};

void check_more(const Settings& settings, std::vector<ConfigValue>& values) {
  const std::string url = settings.text("influxdb.url");
  if (const auto fault = url_fault(url)) {
    add_error(values, "influxdb.url", fmt::format("Invalid value {} for configuration influxdb.url: {}", url, *fault));
  }
}

/// Characters of names, tag keys and values with the line protocol's escapes; a line end is none of them.
void append_name(std::string_view text, std::string_view escaped, Buffer& out) {
  for (const char c : text) {
    if (escaped.find(c) != std::string_view::npos) out.push_back('\\');
    out.push_back(c == '\n' || c == '\r' ? ' ' : static_cast<std::uint8_t>(c));
  }
}

void append_text(std::string_view text, Buffer& out) {
  out.push_back('"');
  append_name(text, "\"\\", out);
  out.push_back('"');
}

constexpr std::string_view kTagEscapes = ",= ";
/// What the nanoseconds of a millisecond tell apart.
constexpr std::int64_t kPartitions = 64;
constexpr std::int64_t kOffsets = 1'000'000 / kPartitions;

class InfluxDbSink final : public Sink {
 public:
  explicit InfluxDbSink(SinkContext context) : context_(std::move(context)), client_({}, &context_.stopping) {
    using net::http::percent_encode;
    const Settings& settings = context_.settings;
    url_ = complete_url(settings.text("influxdb.url")) +
           "/write?precision=ns&db=" + percent_encode(settings.text("influxdb.db"));
    if (const std::string policy = settings.text("influxdb.retention.policy"); !policy.empty()) {
      url_ += "&rp=" + percent_encode(policy);
    }
    tags_ = settings.list("influxdb.tags");
    time_field_ = settings.text("event.time.fieldname");
    if (const std::string user = settings.text("influxdb.username"); !user.empty()) {
      const std::string pair = user + ":" + settings.text("influxdb.password");
      headers_.emplace_back("Authorization", "Basic " + to_base64(as_bytes(pair)));
    }
  }

  Result<void> open(std::span<const LaneStart>) override { return {}; }

  Outcome put(std::span<const SinkRecord> records) override {
    Outcome all;
    body_.clear();
    arena_.reset();
    for (std::size_t i = 0; i < records.size(); ++i) {
      const std::size_t before = body_.size();
      if (auto written = append_point(records[i]); !written) {
        body_.resize(before);
        all.rejected.push_back({i, std::string(kDataException), written.error().message()});
      }
    }
    if (body_.empty()) return all;
    const auto response =
        client_.perform({.method = "POST", .url = url_, .headers = headers_, .body = body_.view(), .has_body = true});
    if (!response) return Outcome::retry(response.error());
    if (response->ok()) return all;
    return judge(*response);
  }

 private:
  /// measurement,tag=value field=1.5,other="text" 1700000000000000000
  Result<void> append_point(const SinkRecord& record) {
    const Datum& value = record.image.value;
    if (!value.is_object()) return fail(ErrorCode::malformed, "The value is no JSON object and cannot be a point.");
    std::string measurement = context_.settings.text("measurement.name.format");
    if (const auto at = measurement.find("${topic}"); at != std::string::npos) {
      measurement.replace(at, 8, record.image.topic);
    }
    append_name(measurement, ", ", body_);
    for (const std::string& tag : tags_) append_tag(tag, value.value.member(tag));
    const sql::Value nested = value.value.member("tags");
    if (nested.type() == sql::Value::Type::object) {
      each_member(nested, arena_,
                  [this](std::string_view name, const sql::Value& member) { append_tag(name, member); });
    }
    std::size_t fields = 0;
    each_member(value.value, arena_, [&](std::string_view name, const sql::Value& member) {
      const bool is_tag =
          std::ranges::count(tags_, name) != 0 || (name == "tags" && nested.type() == sql::Value::Type::object);
      if (is_tag || name == time_field_ || member.is_null()) return;
      body_.push_back(fields++ == 0 ? ' ' : ',');
      append_name(name, kTagEscapes, body_);
      body_.push_back('=');
      append_field(member);
    });
    if (fields == 0) return fail(ErrorCode::malformed, "The record has no field besides its tags.");
    std::int64_t time = record.image.timestamp_ms;
    if (!time_field_.empty()) time = member_number(value.value, time_field_, -1);
    std::int64_t nanoseconds = 0;
    if (time < 0 || __builtin_mul_overflow(time, std::int64_t{1'000'000}, &nanoseconds)) {
      return fail(ErrorCode::malformed, "The record has no time a point can have.");
    }
    const Origin& origin = record.origin();
    const std::int64_t partition = origin.partition->partition.value() % kPartitions;
    const std::int64_t below = partition * kOffsets + origin.offset.value() % kOffsets;
    body_.append(fmt::format(" {}\n", nanoseconds + below));
    return {};
  }

  void append_tag(std::string_view name, const sql::Value& value) {
    const auto text = sql::to_text(arena_, value);
    if (!text || text->empty() || text->ends_with('\\')) return;  // the line protocol has no form for these
    body_.push_back(',');
    append_name(name, kTagEscapes, body_);
    body_.push_back('=');
    append_name(*text, kTagEscapes, body_);
  }

  // Numbers are always floats: a field that was 1 once and 1.5 later would be a conflict of types otherwise.
  void append_field(const sql::Value& value) {
    const std::string_view text = sql::to_text(arena_, value).value_or("");
    if (value.is_number() || value.type() == sql::Value::Type::boolean) {
      body_.append(text);
    } else {
      append_text(text, body_);
    }
  }

  // InfluxDB keeps the points of a request that it can, and says that some were not ("partial write"): the runtime
  // halves until it knows which, and what was written is written again to the same points.
  static Outcome judge(const net::http::ClientResponse& response) {
    const std::string detail = fmt::format("{} {}", response.status, response.body.substr(0, 300));
    if (response.status == 401 || response.status == 403) {
      return Outcome::fatal({ErrorCode::permission_denied, "InfluxDB refuses", detail});
    }
    if (response.status == 404) {
      return Outcome::fatal({ErrorCode::not_found, "InfluxDB does not know the database", detail});
    }
    if (response.status == 400 || response.status == 413 || response.status == 422) {
      return Outcome::reject({ErrorCode::invalid_argument, "InfluxDB rejects a point", detail},
                             std::string(kDataException));
    }
    Outcome waiting = Outcome::retry({ErrorCode::unavailable, "InfluxDB did not take the points", detail});
    waiting.retry_after = retry_after(response);
    return waiting;
  }

  SinkContext context_;
  net::http::Client client_;
  std::string url_;
  net::http::Fields headers_;
  std::vector<std::string> tags_;
  std::string time_field_;
  Buffer body_;
  sql::Arena arena_;
};

}  // namespace

const SinkClass& influxdb_sink_class() {
  static const SinkClass row{
      .class_name = "io.confluent.influxdb.InfluxDBSinkConnector",
      .version = "1.2.0-millrace",
      .rows = kRows,
      .check = check_more,
      .limits =
          [](const Settings& settings) {
            return BatchLimits{.records = static_cast<std::size_t>(settings.number("batch.size")),
                               .bytes = 4_MiB,
                               .linger = settings.ms("linger.ms")};
          },
      .retries =
          [](const Settings& settings) {
            return RetryLimits{settings.number("max.retries"), settings.ms("retry.backoff.ms"), milliseconds(60'000)};
          },
      .make = [](SinkContext context) -> std::unique_ptr<Sink> {
        return std::make_unique<InfluxDbSink>(std::move(context));
      },
  };
  return row;
}

}  // namespace millrace::connect::influxdb
