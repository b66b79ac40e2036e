#include "connect/sinks/postgres/postgres_sink.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "connect/each_member.h"
#include "connect/json_members.h"
#include "connect/runtime/failed_record.h"
#include "connect/sinks/postgres/connection.h"
#include "connect/sinks/postgres/postgres_settings.h"
#include "connect/sinks/postgres/table_rows.h"

namespace millrace::connect::postgres {
namespace {

using std::chrono::milliseconds;
using enum KeyType;

constexpr ConfigKey kRows[] = {
    {.name = "connection.url",
     .required = true,
     .importance = Importance::high,
     .group = "Connection",
     .documentation = "jdbc:postgresql://host:port/database.",
     .not_empty = true},
    {.name = "connection.user",
     .standard = "",
     .importance = Importance::high,
     .group = "Connection",
     .documentation = "JDBC connection user."},
    {.name = "connection.password",
     .type = password,
     .standard = "",
     .importance = Importance::high,
     .group = "Connection",
     .documentation = "JDBC connection password."},
    {.name = "insert.mode",
     .standard = "insert",
     .importance = Importance::high,
     .group = "Writes",
     .documentation = "The insertion mode to use.",
     .choices = "insert, upsert",
     .any_case = true},
    {.name = "batch.size",
     .type = integer,
     .standard = "3000",
     .group = "Writes",
     .documentation = "How many records to batch together for insertion.",
     .min = 1,
     .max = 1'000'000},
    {.name = "delete.enabled",
     .type = boolean,
     .standard = "false",
     .group = "Writes",
     .documentation = "Whether to treat null record values as deletes. Requires pk.mode to be record_key."},
    {.name = "table.name.format",
     .standard = "${topic}",
     .group = "Data Mapping",
     .documentation = "The destination table; ${topic} is replaced. A dot separates schema and table."},
    {.name = "pk.mode",
     .standard = "none",
     .importance = Importance::high,
     .group = "Data Mapping",
     .documentation = "Where the primary key comes from.",
     .choices = "none, kafka, record_key, record_value",
     .any_case = true},
    {.name = "pk.fields",
     .type = list,
     .standard = "",
     .group = "Data Mapping",
     .documentation = "Names of primary key columns."},
    {.name = "fields.whitelist",
     .type = list,
     .standard = "",
     .group = "Data Mapping",
     .documentation = "Record value field names to write; empty: all."},
    {.name = "auto.create",
     .type = boolean,
     .standard = "false",
     .group = "DDL Support",
     .documentation = "Whether to create the destination table if it is missing."},
    {.name = "auto.evolve",
     .type = boolean,
     .standard = "false",
     .group = "DDL Support",
     .documentation = "Whether to add columns that the table lacks."},
    {.name = "max.retries",
     .type = integer,
     .standard = "10",
     .group = "Retries",
     .documentation = "Retries of a batch before the task starts anew.",
     .min = 0},
    {.name = "retry.backoff.ms",
     .type = integer,
     .standard = "3000",
     .group = "Retries",
     .documentation = "How long to wait before the first retry; doubles with each.",
     .min = 0},
    {.name = "linger.ms",
     .type = long_integer,
     .standard = "50",
     .group = "Writes",
     .documentation = "How long a batch that is not full waits for more records.",
     .min = 0,
     .max = 3'600'000},
    {.name = "millrace.offsets.table",
     .standard = "millrace_offsets",
     .group = "Writes",
     .documentation = "With pk.mode=none: the table in which the position is kept, in the transaction of the rows. "
                      "Blank: rows may come twice after a crash."},
};

constexpr std::string_view kNumber = "__millrace_row";

class PostgresSink final : public Sink {
 public:
  explicit PostgresSink(SinkContext context) : context_(std::move(context)) {
    const Settings& settings = context_.settings;
    upsert_ = settings.choice("insert.mode") == "upsert";
    const std::string mode = settings.choice("pk.mode");
    pk_mode_ = mode == "kafka"          ? PkMode::kafka
               : mode == "record_key"   ? PkMode::record_key
               : mode == "record_value" ? PkMode::record_value
                                        : PkMode::none;
    pk_fields_ = settings.list("pk.fields");
    whitelist_ = settings.list("fields.whitelist");
    create_ = settings.flag("auto.create");
    evolve_ = settings.flag("auto.evolve");
    delete_ = settings.flag("delete.enabled");
    if (pk_mode_ == PkMode::kafka && pk_fields_.empty()) {
      pk_fields_ = {"__connect_topic", "__connect_partition", "__connect_offset"};
    }
    for (const std::string& field : pk_fields_)
      pk_sizes_ |= std::uint64_t{1} << std::min<std::size_t>(field.size(), 63);
    if (pk_mode_ == PkMode::none && !context_.replay) offsets_table_ = settings.text("millrace.offsets.table");
  }

  Result<void> open(std::span<const LaneStart> lanes) override {
    lanes_.assign(lanes.begin(), lanes.end());
    return reach();
  }

  Outcome put(std::span<const SinkRecord> records) override {
    std::vector<Rejection> rejected;
    auto written = transaction(records, rejected);
    if (written) return {.rejected = std::move(rejected)};
    const Error& error = written.error();
    if (connection_ && connection_->broken()) connection_.reset();
    if (connection_ && error.code != ErrorCode::closed && error.code != ErrorCode::timed_out)
      static_cast<void>(connection_->query("ROLLBACK"));
    switch (error.code) {
      case ErrorCode::timed_out:
        connection_.reset();  // nobody knows what it is still doing
        return Outcome::retry(error);
      case ErrorCode::unavailable:
        return Outcome::retry(error);
      case ErrorCode::invalid_argument:
        return Outcome::reject(error, "java.sql.BatchUpdateException");
      default:
        return Outcome::fatal(error);
    }
  }

 private:
  Result<void> reach() {
    if (connection_) return {};
    auto parameters = *parse_url(context_.settings.text("connection.url"));
    if (const std::string user = context_.settings.text("connection.user"); !user.empty()) parameters["user"] = user;
    if (const std::string word = context_.settings.text("connection.password"); !word.empty())
      parameters["password"] = word;
    parameters["connect_timeout"] = "10";
    parameters["tcp_user_timeout"] = "30000";
    parameters["application_name"] = "millrace " + context_.connector;
    parameters["options"] =
        "-c statement_timeout=60000 -c standard_conforming_strings=on -c client_encoding=UTF8 "
        "-c client_min_messages=warning";
    MR_TRY_ASSIGN(auto connection, Connection::open(parameters, {.abort = &context_.stopping}));
    connection_.emplace(std::move(connection));
    known_.clear();
    if (offsets_table_.empty()) return {};
    return open_offsets_table();
  }

  // Rows of the table stand before anything is written: locking one then waits for whatever transaction of an earlier
  // process is still being committed.
  Result<void> open_offsets_table() {
    MR_TRY(connection_->query("BEGIN"));
    MR_TRY(lock_definitions());
    MR_TRY(connection_->query(
        fmt::format("CREATE TABLE IF NOT EXISTS {} (connector text, topic text, part int, next_offset bigint NOT NULL, "
                    "topic_id text, PRIMARY KEY (connector, topic, part))",
                    identifier(offsets_table_))));
    MR_TRY(connection_->query(
        fmt::format("ALTER TABLE {} ADD COLUMN IF NOT EXISTS topic_id text", identifier(offsets_table_))));
    for (const LaneStart& lane : lanes_) {
      // The position in a topic of that name which was deleted says nothing about this one.
      MR_TRY(connection_->query(
          fmt::format("INSERT INTO {} AS t (connector, topic, part, next_offset, topic_id) VALUES ({}, {}, {}, {}, {}) "
                      "ON CONFLICT (connector, topic, part) DO UPDATE SET topic_id = EXCLUDED.topic_id, next_offset = "
                      "CASE WHEN t.topic_id IS NULL THEN t.next_offset ELSE EXCLUDED.next_offset END "
                      "WHERE t.topic_id IS DISTINCT FROM EXCLUDED.topic_id",
                      identifier(offsets_table_), literal(context_.connector), literal(lane.partition->topic),
                      lane.partition->partition.value(), lane.next.value(), literal(lane.topic_id))));
    }
    MR_TRY(connection_->query("COMMIT"));
    return {};
  }

  // CREATE TABLE IF NOT EXISTS of two sessions at once fails in one of them.
  Result<void> lock_definitions() {
    constexpr std::string_view kAnyNumber = "7234017283807667300";
    MR_TRY(connection_->query(fmt::format("SELECT pg_advisory_xact_lock({})", kAnyNumber)));
    return {};
  }

  // A process that died may have sent its COMMIT: it takes effect whenever the server gets to it, perhaps after the
  // next process has connected. So every transaction begins by locking its positions, which waits for such a COMMIT,
  // and reads how far the tables are.
  Result<void> lock_offsets(std::span<const SinkRecord> records) {
    std::set<std::uint32_t> touched;
    for (const SinkRecord& record : records) touched.insert(record.origin().lane);
    std::string places;
    for (const std::uint32_t lane : touched) {
      const TopicPartition& partition = *lanes_[lane].partition;
      places +=
          fmt::format("{}({}, {})", places.empty() ? "" : ", ", literal(partition.topic), partition.partition.value());
    }
    MR_TRY_ASSIGN(const auto rows,
                  connection_->query(fmt::format("SELECT topic, part, next_offset FROM {} WHERE connector = {} AND "
                                                 "(topic, part) IN ({}) ORDER BY topic, part FOR UPDATE",
                                                 identifier(offsets_table_), literal(context_.connector), places)));
    for (const auto& row : rows) {
      const auto lane = std::ranges::find_if(lanes_, [&row](const LaneStart& one) {
        return one.partition->topic == row[0] && std::to_string(one.partition->partition.value()) == row[1];
      });
      if (lane != lanes_.end()) lane->next = std::max(lane->next, Offset(std::atoll(row[2].c_str())));
    }
    return {};
  }

  Result<void> transaction(std::span<const SinkRecord> records, std::vector<Rejection>& rejected) {
    MR_TRY(reach());
    MR_TRY(connection_->query("BEGIN"));
    if (!offsets_table_.empty()) MR_TRY(lock_offsets(records));
    // Rows and deletions of one key must keep their order: a run of one kind and table at a time.
    for (std::size_t at = 0; at < records.size();) {
      const std::string table = table_of(records[at]);
      const bool removal = records[at].image.value.is_null();
      TableRows& rows = rows_;
      rows.clear();
      names_.reset();
      std::size_t end = at;
      for (; end < records.size() && records[end].image.value.is_null() == removal && table_of(records[end]) == table;
           ++end) {
        add_row(records[end], end, rows, rejected);
      }
      if (rows.count() != 0) MR_TRY(removal ? remove(table, rows) : write(table, rows));
      at = end;
    }
    if (!offsets_table_.empty()) MR_TRY(write_offsets(records));
    MR_TRY(connection_->query("COMMIT"));
    return {};
  }

  void add_row(const SinkRecord& record, std::size_t index, TableRows& rows, std::vector<Rejection>& rejected) {
    if (record.origin().offset < lanes_[record.origin().lane].next) return;  // in the table already
    const auto reject = [&](std::string why) {
      rejected.push_back({index, std::string(kConnectException), std::move(why)});
      rows.drop_row();
    };
    rows.begin_row();
    const Datum& value = record.image.value;
    if (value.is_null() && !delete_) return reject("The record has a null value, and delete.enabled is false.");
    if (!value.is_null() && !value.is_object()) return reject("The value is no JSON object and cannot be a row.");
    if (pk_mode_ == PkMode::kafka) {
      rows.add_text(pk_fields_[0], record.origin().partition->topic, true);
      rows.add_integer(pk_fields_[1], record.origin().partition->partition.value(), true);
      rows.add_integer(pk_fields_[2], record.origin().offset.value(), true);
    } else if (pk_mode_ == PkMode::record_key) {
      const Datum& key = record.image.key;
      if (key.is_null()) return reject("The record has no key, and pk.mode is record_key.");
      if (key.is_object()) {
        for (const std::string& field : pk_fields_) rows.add(field, key.value.member(field), true);
      } else if (key.kind == Datum::Kind::value && pk_fields_.size() == 1) {
        rows.add(pk_fields_[0], key.value, true);
      } else {
        return reject("The key is no object, and pk.fields does not name one column.");
      }
    }
    if (value.is_null()) return;
    each_member(value.value, names_, [&](std::string_view name, const sql::Value& member) {
      const bool named = is_pk_field(name);
      const bool key = named && pk_mode_ == PkMode::record_value;
      if (named && !key && pk_mode_ != PkMode::none) return;  // the key has said it
      if (whitelist_.empty() || key || std::ranges::count(whitelist_, name) != 0) rows.add(name, member, key);
    });
  }

  // Mostly answered by the size alone.
  [[nodiscard]] bool is_pk_field(std::string_view name) const {
    return (pk_sizes_ >> std::min<std::size_t>(name.size(), 63) & 1U) != 0 && std::ranges::count(pk_fields_, name) != 0;
  }

  /// Its name with quotes; valid until the next call.
  [[nodiscard]] const std::string& table_of(const SinkRecord& record) {
    if (record.image.topic == table_topic_ && !table_.empty()) return table_;
    table_topic_ = record.image.topic;
    std::string name = context_.settings.text("table.name.format");
    if (const auto at = name.find("${topic}"); at != std::string::npos) name.replace(at, 8, record.image.topic);
    const auto dot = name.find('.');
    table_ = dot == std::string::npos ? identifier(name)
                                      : identifier(name.substr(0, dot)) + "." + identifier(name.substr(dot + 1));
    return table_;
  }

  Result<void> prepare(const std::string& table, const TableRows& rows) {
    auto& columns = known_[table];
    if (columns.empty()) {
      if (create_) {
        std::string definition;
        std::string keys;
        for (const Column& column : rows.columns()) {
          definition += fmt::format("{}{} {}", definition.empty() ? "" : ", ", identifier(column.name), column.type);
          if (column.key) keys += (keys.empty() ? "" : ", ") + identifier(column.name);
        }
        if (!keys.empty()) definition += ", PRIMARY KEY (" + keys + ")";
        MR_TRY(lock_definitions());
        MR_TRY(connection_->query(fmt::format("CREATE TABLE IF NOT EXISTS {} ({})", table, definition)));
      }
      MR_TRY_ASSIGN(
          const auto found,
          connection_->query(fmt::format(
              "SELECT attname FROM pg_attribute WHERE attrelid = {}::regclass AND attnum > 0 AND NOT attisdropped",
              literal(table))));
      for (const auto& row : found) columns.insert(row[0]);
    }
    for (const Column& column : rows.columns()) {
      if (columns.contains(column.name)) continue;
      if (!evolve_) {
        return fail(ErrorCode::not_found, "the table lacks a column and auto.evolve is false",
                    table + "." + column.name);
      }
      MR_TRY(connection_->query(
          fmt::format("ALTER TABLE {} ADD COLUMN IF NOT EXISTS {} {}", table, identifier(column.name), column.type)));
      columns.insert(column.name);
    }
    return {};
  }

  Result<std::string> stage(const std::string& table, const TableRows& rows) {
    std::string names;
    for (const Column& column : rows.columns()) names += identifier(column.name) + ", ";
    names.resize(names.size() - 2);
    MR_TRY(connection_->query(fmt::format(
        "CREATE TEMP TABLE millrace_stage ON COMMIT DROP AS SELECT {}, 0::bigint AS {} FROM {} WITH NO DATA", names,
        kNumber, table)));
    copy_.clear();
    rows.write(copy_);
    MR_TRY(connection_->copy("COPY millrace_stage FROM STDIN", copy_.view()));
    return names;
  }

  Result<void> write(const std::string& table, const TableRows& rows) {
    MR_TRY(prepare(table, rows));
    MR_TRY_ASSIGN(const std::string names, stage(table, rows));
    std::string keys;
    std::string changes;
    for (const Column& column : rows.columns()) {
      const std::string name = identifier(column.name);
      if (column.key) keys += (keys.empty() ? "" : ", ") + name;
      if (!column.key) changes += fmt::format("{}{} = EXCLUDED.{}", changes.empty() ? "" : ", ", name, name);
    }
    if (keys.empty()) {
      MR_TRY(connection_->query(
          fmt::format("INSERT INTO {} ({}) SELECT {} FROM millrace_stage ORDER BY {}", table, names, names, kNumber)));
    } else {
      // The last row of a key counts; insert mode leaves a row that is there as it is, which a repetition needs.
      const std::string conflict = upsert_ && !changes.empty() ? "DO UPDATE SET " + changes : "DO NOTHING";
      MR_TRY(connection_->query(fmt::format(
          "INSERT INTO {} ({}) SELECT DISTINCT ON ({}) {} FROM millrace_stage ORDER BY {}, {} DESC ON CONFLICT ({}) {}",
          table, names, keys, names, keys, kNumber, keys, conflict)));
    }
    MR_TRY(connection_->query("DROP TABLE millrace_stage"));
    return {};
  }

  Result<void> remove(const std::string& table, const TableRows& rows) {
    MR_TRY(prepare(table, rows));
    MR_TRY(stage(table, rows));
    std::string match;
    for (const Column& column : rows.columns()) {
      const std::string name = identifier(column.name);
      match += fmt::format("{}t.{} = s.{}", match.empty() ? "" : " AND ", name, name);
    }
    MR_TRY(connection_->query(fmt::format("DELETE FROM {} t USING millrace_stage s WHERE {}", table, match)));
    MR_TRY(connection_->query("DROP TABLE millrace_stage"));
    return {};
  }

  Result<void> write_offsets(std::span<const SinkRecord> records) {
    std::map<std::uint32_t, Offset> ends;
    for (const SinkRecord& record : records) ends[record.origin().lane] = record.origin().offset + 1;
    for (const auto& [lane, end] : ends) {
      if (end <= lanes_[lane].next) continue;  // records that came again: the position never goes back
      const TopicPartition& partition = *lanes_[lane].partition;
      MR_TRY(connection_->query(
          fmt::format("UPDATE {} SET next_offset = {} WHERE connector = {} AND topic = {} AND part = {}",
                      identifier(offsets_table_), end.value(), literal(context_.connector), literal(partition.topic),
                      partition.partition.value())));
    }
    return {};
  }

  SinkContext context_;
  std::optional<Connection> connection_;
  std::vector<LaneStart> lanes_;                        // next: records before it are in the tables already
  std::map<std::string, std::set<std::string>> known_;  // columns of the tables
  bool upsert_ = false;
  bool create_ = false;
  bool evolve_ = false;
  bool delete_ = false;
  enum class PkMode : std::uint8_t { none, kafka, record_key, record_value };
  PkMode pk_mode_ = PkMode::none;
  std::uint64_t pk_sizes_ = 0;  // a bit for the length of each of pk_fields_
  std::string offsets_table_;
  std::vector<std::string> pk_fields_;
  std::vector<std::string> whitelist_;
  std::string table_topic_;  // the last topic and its table
  std::string table_;
  TableRows rows_;    // of the statement that is made
  sql::Arena names_;  // of members that hold escapes
  Buffer copy_;
};

constexpr SinkClass class_named(std::string_view name) {
  return {
      .class_name = name,
      .version = "10.8.0-millrace",
      .rows = kRows,
      .check = check_settings,
      .limits =
          [](const Settings& settings) {
            return BatchLimits{.records = static_cast<std::size_t>(settings.number("batch.size")),
                               .bytes = 8_MiB,
                               .linger = settings.ms("linger.ms")};
          },
      .retries =
          [](const Settings& settings) {
            return RetryLimits{settings.number("max.retries"), settings.ms("retry.backoff.ms"), milliseconds(60'000)};
          },
      .make = [](SinkContext context) -> std::unique_ptr<Sink> {
        return std::make_unique<PostgresSink>(std::move(context));
      },
  };
}

}  // namespace

const SinkClass& confluent_jdbc_class() {
  static constexpr SinkClass kRow = class_named("io.confluent.connect.jdbc.JdbcSinkConnector");
  return kRow;
}

const SinkClass& aiven_jdbc_class() {
  static constexpr SinkClass kRow = class_named("io.aiven.connect.jdbc.JdbcSinkConnector");
  return kRow;
}

}  // namespace millrace::connect::postgres
