#include "connect/sinks/clickhouse/clickhouse_sink.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "connect/converters/json_line.h"
#include "connect/runtime/failed_record.h"
#include "connect/settings/destination_url.h"
#include "connect/sinks/clickhouse/row_binary.h"
#include "connect/sinks/retry_after.h"
#include "net/http/client.h"

namespace millrace::connect::clickhouse {
namespace {

using std::chrono::milliseconds;
using enum KeyType;

constexpr ConfigKey kRows[] = {
    {.name = "hostname",
     .required = true,
     .importance = Importance::high,
     .group = "Connection",
     .documentation = "ClickHouse's host.",
     .not_empty = true},
    {.name = "port",
     .type = integer,
     .standard = "8443",
     .group = "Connection",
     .documentation = "ClickHouse's HTTP port.",
     .min = 1,
     .max = 65'535},
    {.name = "ssl",
     .type = boolean,
     .standard = "true",
     .group = "Connection",
     .documentation = "Whether to speak https."},
    {.name = "username", .standard = "default", .group = "Connection", .documentation = "ClickHouse user."},
    {.name = "password", .type = password, .standard = "", .group = "Connection", .documentation = "Its password."},
    {.name = "database", .standard = "default", .group = "Connection", .documentation = "The database of the tables."},
    {.name = "topic2TableMap",
     .type = list,
     .standard = "",
     .group = "Tables",
     .documentation = "Tables of topics: topic=table, separated by commas. Else the table has the topic's name."},
    {.name = "exactlyOnce",
     .type = boolean,
     .standard = "true",
     .importance = Importance::high,
     .group = "Delivery",
     .documentation = "Whether every INSERT is written down before it is sent and carries a deduplication token."},
    {.name = "insert.format",
     .standard = "JSONEachRow",
     .group = "Delivery",
     .documentation = "JSONEachRow: the server reads the records' JSON. RowBinary: rows are encoded by the table's "
                      "columns here, which costs the server less.",
     .choices = "JSONEachRow, RowBinary",
     .any_case = true},
    {.name = "batch.size",
     .type = integer,
     .standard = "10000",
     .group = "Delivery",
     .documentation = "Most rows of one INSERT of one partition.",
     .min = 1,
     .max = 1'000'000},
    {.name = "linger.ms",
     .type = long_integer,
     .standard = "500",
     .group = "Delivery",
     .documentation = "How long a batch that is not full waits for more records.",
     .min = 0,
     .max = 3'600'000},
    {.name = "clickhouseSettings",
     .type = list,
     .standard = "",
     .group = "Delivery",
     .documentation = "Settings of every INSERT: name=value, separated by commas."},
    {.name = "timeoutSeconds",
     .type = integer,
     .standard = "30",
     .group = "Connection",
     .documentation = "How long to wait for an answer.",
     .min = 1,
     .max = 600},
    {.name = "retryCount",
     .type = integer,
     .standard = "3",
     .group = "Delivery",
     .documentation = "Retries of an INSERT before the task starts anew.",
     .min = 0},
};

std::string base_url(const Settings& settings) {
  return fmt::format("{}://{}:{}", settings.flag("ssl") ? "https" : "http", settings.text("hostname"),
                     settings.text("port"));
}

void check_more(const Settings& settings, std::vector<ConfigValue>& values) {
  if (const auto fault = url_fault(base_url(settings))) {
    add_error(values, "hostname",
              fmt::format("Invalid value {} for configuration hostname: {}", settings.text("hostname"), *fault));
  }
}

/// The rows of one lane that one INSERT will hold.
struct Block {
  const TopicPartition* partition = nullptr;
  std::string topic_id;
  std::string table;
  Buffer rows;
  std::vector<std::size_t> ends;  // of each row in `rows`
  std::vector<Offset> offsets;    // of each row
  Offset first;
  Offset next;                // behind the last record taken
  std::optional<Offset> end;  // planned: the INSERT holds what lies before it
  bool planned = false;       // the plan is on disk
  bool sealed = false;        // complete, to be sent
  std::int64_t count = 0;
};

class ClickHouseSink final : public Sink {
 public:
  explicit ClickHouseSink(SinkContext context)
      : context_(std::move(context)),
        client_({.request_timeout = std::chrono::seconds(context_.settings.number("timeoutSeconds"))},
                &context_.stopping) {
    exactly_once_ = context_.settings.flag("exactlyOnce");
    binary_ = context_.settings.choice("insert.format") == "rowbinary";
    for (const std::string& pair : context_.settings.list("clickhouseSettings")) {
      if (pair == "input_format_skip_unknown_fields=1") skip_unknown_ = true;
    }
    for (const std::string& pair : context_.settings.list("topic2TableMap")) {
      const auto equals = pair.find('=');
      if (equals != std::string::npos) tables_[pair.substr(0, equals)] = pair.substr(equals + 1);
    }
  }

  Result<void> open(std::span<const LaneStart> lanes) override {
    for (const LaneStart& lane : lanes) {
      Block& block = blocks_.emplace_back();
      block.partition = lane.partition;
      block.topic_id = lane.topic_id;
      block.first = block.next = lane.next;
      std::int64_t end = 0;
      if (lane.note.starts_with("end=") &&
          std::from_chars(lane.note.data() + 4, lane.note.data() + lane.note.size(), end).ec == std::errc() &&
          Offset(end) > lane.next) {
        block.end = Offset(end);
        block.planned = true;
      }
    }
    return {};
  }

  Outcome put(std::span<const SinkRecord> records) override {
    Outcome all;
    const auto ended = [&all](Outcome outcome, std::size_t taken) {
      outcome.taken = taken;
      outcome.rejected = std::move(all.rejected);
      return outcome;
    };
    if (auto sent = send_sealed(records, all.rejected); sent.kind != Outcome::Kind::done)
      return ended(std::move(sent), 0);
    arena_.reset();
    for (std::size_t i = 0; i < records.size(); ++i) {
      const SinkRecord& record = records[i];
      Block& block = blocks_[record.origin().lane];
      const std::string table = table_of(record.image.topic);
      const bool beyond = block.end && record.origin().offset >= *block.end;
      if (block.count != 0 && (beyond || block.table != table)) {
        block.sealed = true;
        if (auto sent = send_sealed(records, all.rejected); sent.kind != Outcome::Kind::done)
          return ended(std::move(sent), i);
      }
      if (beyond) {
        block.end.reset();
        block.planned = false;  // the plan was of records that are gone
      }
      if (!record.image.value.is_object()) {
        all.rejected.push_back({i, std::string(kDataException), "The value is no JSON object and cannot be a row."});
        continue;
      }
      RowBinary* columns = nullptr;
      if (binary_) {
        auto known = columns_of(table);
        if (known.kind != Outcome::Kind::done) return ended(std::move(known), i);
        columns = &binary_tables_.find(table)->second;
      }
      if (auto written = append_row(record, columns, block.rows); !written) {
        all.rejected.push_back({i, std::string(kDataException), written.error().message()});
        continue;
      }
      if (block.count == 0) block.first = record.origin().offset;
      block.table = table;
      block.ends.push_back(block.rows.size());
      block.offsets.push_back(record.origin().offset);
      block.next = record.origin().offset + 1;
      ++block.count;
      if (block.end && block.next >= *block.end) block.sealed = true;
    }
    // What a plan of before the restart reaches beyond waits for its other records; everything else goes now.
    for (Block& block : blocks_) {
      if (block.count != 0 && !block.end) block.sealed = true;
    }
    if (auto sent = send_sealed(records, all.rejected); sent.kind != Outcome::Kind::done)
      return ended(std::move(sent), records.size());
    return all;
  }

  [[nodiscard]] std::optional<Offset> delivered(std::uint32_t lane) const override {
    return blocks_[lane].count != 0 ? std::optional(blocks_[lane].first) : std::nullopt;
  }
  Outcome finish() override {
    for (Block& block : blocks_) block.sealed = block.sealed || block.count != 0;
    return flush();
  }
  [[nodiscard]] std::optional<WallTime> next_flush() const override {
    return std::ranges::any_of(blocks_, &Block::sealed) ? std::optional(WallTime(0)) : std::nullopt;
  }
  Outcome flush() override {
    std::vector<Rejection> none;
    return send_sealed({}, none);
  }

 private:
  [[nodiscard]] std::string table_of(std::string_view topic) const {
    const auto mapped = tables_.find(topic);
    return mapped == tables_.end() ? std::string(topic) : mapped->second;
  }

  Result<void> append_row(const SinkRecord& record, RowBinary* columns, Buffer& rows) {
    if (columns != nullptr) return columns->append(record.image.value.value, skip_unknown_, arena_, rows);
    append_json_line(record.image.value, arena_, rows);
    rows.push_back('\n');
    return {};
  }

  // Asked once: what a table that was changed then refuses ends the session, and the next one asks again.
  Outcome columns_of(const std::string& table) {
    if (binary_tables_.contains(table)) return Outcome::done();
    const Settings& settings = context_.settings;
    const auto response = client_.perform(request(
        fmt::format("{}/?database={}&query={}", base_url(settings),
                    net::http::percent_encode(settings.text("database")),
                    net::http::percent_encode(fmt::format("DESCRIBE TABLE {} FORMAT JSONEachRow", quoted(table)))),
        {}));
    if (!response) return Outcome::retry(response.error());
    const std::string_view code = response->header("x-clickhouse-exception-code");
    if (!response->ok() || !code.empty()) return judge(*response, code);
    auto described = RowBinary::of_table(response->body);
    if (!described) return Outcome::fatal(described.error());
    binary_tables_.emplace(table, std::move(*described));
    return Outcome::done();
  }

  [[nodiscard]] net::http::ClientRequest request(std::string url, ByteView body) const {
    const Settings& settings = context_.settings;
    return {.method = "POST",
            .url = std::move(url),
            .headers = {{"X-ClickHouse-User", settings.text("username")},
                        {"X-ClickHouse-Key", settings.text("password")},
                        {"Content-Type", binary_ ? "application/octet-stream" : "application/x-ndjson"}},
            .body = body,
            .has_body = true};
  }

  Outcome send_sealed(std::span<const SinkRecord> records, std::vector<Rejection>& rejected) {
    for (std::uint32_t lane = 0; lane < blocks_.size(); ++lane) {
      Block& block = blocks_[lane];
      if (!block.sealed) continue;
      if (exactly_once_ && !block.planned) {
        if (auto planned = context_.record_plan(lane, block.first, fmt::format("end={}", block.next.value()));
            !planned) {
          return Outcome::retry(planned.error());
        }
        block.planned = true;
      }
      std::vector<Bad> bad;
      if (auto outcome = insert(block, 0, block.ends.size(), bad); outcome.kind != Outcome::Kind::done) return outcome;
      for (const Bad& one : bad) {
        const auto at = std::ranges::find_if(records, [&](const SinkRecord& record) {
          return record.origin().lane == lane && record.origin().offset == block.offsets[one.row];
        });
        if (at == records.end())
          return Outcome::fatal({ErrorCode::invalid_argument, "ClickHouse rejects a row", one.why});
        rejected.push_back({static_cast<std::size_t>(at - records.begin()), std::string(kDataException), one.why});
      }
      block.rows.clear();
      block.ends.clear();
      block.offsets.clear();
      block.count = 0;
      block.first = block.next;
      block.sealed = block.planned = false;
      block.end.reset();
    }
    return Outcome::done();
  }

  struct Bad {
    std::size_t row;
    std::string why;
  };

  // A block with a row that ClickHouse cannot read is refused whole: its halves are tried, each under a token of its
  // own, down to the row. The same block is halved in the same way at every repetition.
  Outcome insert(const Block& block, std::size_t from, std::size_t to, std::vector<Bad>& bad) {
    Outcome outcome = insert_rows(block, from, to);
    if (outcome.kind != Outcome::Kind::reject) return outcome;
    if (to - from == 1) {
      bad.push_back({from, outcome.error.message()});
      return Outcome::done();
    }
    const std::size_t middle = from + (to - from) / 2;
    if (Outcome half = insert(block, from, middle, bad); half.kind != Outcome::Kind::done) return half;
    return insert(block, middle, to, bad);
  }

  Outcome insert_rows(const Block& block, std::size_t from, std::size_t to) {
    using net::http::percent_encode;
    const Settings& settings = context_.settings;
    std::string into = fmt::format("INSERT INTO {} FORMAT JSONEachRow", quoted(block.table));
    if (const auto table = binary_tables_.find(block.table); table != binary_tables_.end()) {
      into = fmt::format("INSERT INTO {} ({}) FORMAT {}", quoted(block.table), table->second.columns(),
                         table->second.format());
    }
    std::string url = fmt::format("{}/?database={}&query={}&wait_end_of_query=1&async_insert=0", base_url(settings),
                                  percent_encode(settings.text("database")), percent_encode(into));
    if (exactly_once_) {
      // With the topic's id: one that was made anew under the same name has the same offsets and other records.
      url += fmt::format("&insert_deduplicate=1&insert_deduplication_token={}",
                         percent_encode(fmt::format("{}-{}-{}-{}-{}-{}", context_.connector, block.partition->topic,
                                                    block.topic_id, block.partition->partition.value(),
                                                    block.offsets[from].value(), block.offsets[to - 1].value())));
    }
    for (const std::string& pair : settings.list("clickhouseSettings")) {
      const auto equals = pair.find('=');
      if (equals != std::string::npos)
        url += "&" + percent_encode(pair.substr(0, equals)) + "=" + percent_encode(pair.substr(equals + 1));
    }
    const std::size_t begin = from == 0 ? 0 : block.ends[from - 1];
    const auto response = client_.perform(request(std::move(url), block.rows.view(begin, block.ends[to - 1] - begin)));
    if (!response) return Outcome::retry(response.error());
    const std::string_view code = response->header("x-clickhouse-exception-code");
    if (response->ok() && code.empty()) return Outcome::done();
    return judge(*response, code);
  }

  static Outcome judge(const net::http::ClientResponse& response, std::string_view code_text) {
    int code = 0;
    std::from_chars(code_text.data(), code_text.data() + code_text.size(), code);
    const std::string detail = fmt::format("{} {}", response.status, response.body.substr(0, 300));
    if (code == 0) {  // "Code: 41. DB::Exception: ..."
      if (const auto at = response.body.find("Code: "); at != std::string::npos) {
        std::from_chars(response.body.data() + at + 6, response.body.data() + response.body.size(), code);
      }
    }
    // Authentication, unknown database or table: nothing here changes it.
    if (code == 516 || code == 192 || code == 193 || response.status == 401 || response.status == 403) {
      return Outcome::fatal({ErrorCode::permission_denied, "ClickHouse refuses", detail});
    }
    if (code == 60 || code == 81)
      return Outcome::fatal({ErrorCode::not_found, "ClickHouse does not know the table", detail});
    // Parse errors of the rows (ErrorCodes.cpp: 6, 26, 27, 38, 41, 53, 69, 72, 117, 130, 131, 377, 469).
    static constexpr int kRowFaults[] = {6, 26, 27, 38, 41, 53, 69, 72, 117, 130, 131, 377, 469};
    if (std::ranges::count(kRowFaults, code) != 0) {
      return Outcome::reject({ErrorCode::invalid_argument, "ClickHouse rejects a row", detail},
                             std::string(kDataException));
    }
    Outcome waiting = Outcome::retry({ErrorCode::unavailable, "ClickHouse did not take the rows", detail});
    waiting.retry_after = retry_after(response);
    return waiting;
  }

  SinkContext context_;
  net::http::Client client_;
  bool exactly_once_ = true;
  bool binary_ = false;
  bool skip_unknown_ = false;
  std::map<std::string, RowBinary, std::less<>> binary_tables_;
  std::map<std::string, std::string, std::less<>> tables_;
  std::vector<Block> blocks_;  // by lane
  sql::Arena arena_;
};

}  // namespace

const SinkClass& clickhouse_sink_class() {
  static const SinkClass row{
      .class_name = "com.clickhouse.kafka.connect.ClickHouseSinkConnector",
      .version = "1.3.0-millrace",
      .rows = kRows,
      .check = check_more,
      .limits =
          [](const Settings& settings) {
            return BatchLimits{.records = static_cast<std::size_t>(settings.number("batch.size")),
                               .bytes = 16_MiB,
                               .linger = settings.ms("linger.ms")};
          },
      .retries =
          [](const Settings& settings) {
            return RetryLimits{settings.number("retryCount"), milliseconds(500), milliseconds(60'000)};
          },
      .make = [](SinkContext context) -> std::unique_ptr<Sink> {
        return std::make_unique<ClickHouseSink>(std::move(context));
      },
  };
  return row;
}

}  // namespace millrace::connect::clickhouse
