#include "rules/rule_trial.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "codec/base64.h"
#include "rules/topic_filter.h"
#include "rules/where_clause.h"
#include "sql/ast.h"
#include "sql/spelling.h"
#include "sql/statement.h"

namespace millrace::rules {

namespace {

constexpr std::string_view kBasicIngest = "$aws/rules/";

/// Takes "line 1, column 8: what\n  picture" apart.
TrialError error_of(const Error& error) {
  TrialError out;
  const std::string& detail = error.detail;
  const std::size_t first_end = std::min(detail.find('\n'), detail.size());
  out.message = detail.substr(0, first_end);
  if (first_end < detail.size()) out.picture = detail.substr(first_end + 1);
  int read = 0;
  if (std::sscanf(detail.c_str(), "line %d, column %d: %n", &out.line, &out.column, &read) == 2 && read > 0) {
    out.message.erase(0, static_cast<std::size_t>(read));
  }
  return out;
}

std::string json_of(sql::Evaluation& evaluation, const sql::Value& value) {
  sql::TextWriter out(evaluation.arena());
  sql::write_json(out, evaluation.arena(), value);
  return std::string(out.view());
}

class Trying {
 public:
  explicit Trying(const TrialMessage& message)
      : message_(message), program_(options_of(message), paths_), evaluation_(1) {}

  RuleTrial run() {
    auto statement = sql::Statement::compile(message_.sql, program_);
    if (!statement) return failed(error_of(statement.error()));
    for (const std::string& filter : statement->filters()) {
      if (const auto valid = check_topic_filter(filter); !valid) {
        return failed({fmt::format("FROM '{}': {}", filter, valid.error().detail), {}, 0, 0});
      }
    }
    const auto conditions = where_conditions(message_.sql);
    trial_.expands = statement->expands();
    if (!from(*statement)) return std::move(trial_);
    begin(*statement);
    if (statement->needs_json() && !evaluation_.payload_is_json()) {
      step("payload", "").held = false;
      return failed({"the payload is not JSON: " + evaluation_.document().fault_text(), {}, 0, 0});
    }
    tell_variables();
    for (const Condition& condition : conditions) where(condition);
    statement->begin(program_, evaluation_);
    trial_.matched = statement->passes(program_, evaluation_);
    if (trial_.matched) select(*statement);
    const std::string problem(evaluation_.problem());
    if (trial_.matched && !trial_.expands && !evaluation_.exhausted()) tell_items();
    if (!problem.empty()) return failed({problem, {}, 0, 0});
    if (evaluation_.exhausted()) return failed({"the rule takes more work than one message may cost", {}, 0, 0});
    return std::move(trial_);
  }

 private:
  static sql::Options options_of(const TrialMessage& message) {
    sql::Options out;
    if (message.sql_version == "2015-10-08") out.version = sql::Version::v2015_10_08;
    if (message.strict) out.dialect = sql::Dialect::strict;
    return out;
  }
  RuleTrial failed(TrialError error) {
    trial_.matched = false;
    trial_.outputs.clear();
    trial_.error = std::move(error);
    return std::move(trial_);
  }
  TrialStep& step(std::string_view clause, std::string_view text) {
    TrialStep& added = trial_.steps.emplace_back();
    added.clause = clause;
    added.text = text;
    return added;
  }

  /// Also decides what topic() answers.
  bool from(const sql::Statement& statement) {
    const auto& filters = statement.filters();
    topic_ = message_.topic ? std::string_view(*message_.topic) : filters.empty() ? "" : std::string_view(filters[0]);
    if (!message_.topic) return true;
    if (topic_.starts_with(kBasicIngest)) {
      topic_.remove_prefix(kBasicIngest.size());
      const std::size_t slash = topic_.find('/');
      topic_ = slash == std::string_view::npos ? std::string_view() : topic_.substr(slash + 1);
      return true;
    }
    bool matches = false;
    for (const std::string& filter : filters) {
      TopicFilterIndex index;
      index.add(filter, 0);
      std::vector<std::uint32_t> found;
      index.match(topic_, found);
      step("FROM", filter).held = !found.empty();
      matches = matches || !found.empty();
    }
    if (filters.empty()) step("FROM", "(none)").held = false;
    return matches;
  }

  void begin(const sql::Statement& statement) {
    device_.topic = message_.topic ? std::string_view(*message_.topic) : topic_;
    device_.payload = as_bytes(message_.payload);
    device_.client_id = message_.client_id;
    device_.username = message_.username;
    device_.received_at = WallTime{message_.timestamp};
    evaluation_.begin(device_, topic_);
    statement.begin(program_, evaluation_);
  }

  /// What an expression of the statement yields by itself; empty when Undefined.
  std::string value_of(std::string_view text, bool& is_true) {
    is_true = false;
    const auto expression = sql::parse_expression(text, program_.options().dialect);
    if (!expression) return {};
    const auto node = program_.compile(*expression, text);
    if (!node) return {};
    const sql::Value value = program_.evaluate(evaluation_, *node);
    is_true = value.is_true();
    return json_of(evaluation_, value);
  }
  void where(const Condition& condition) {
    TrialStep& added = step("WHERE", condition.text);
    added.value = value_of(condition.text, added.held);
    for (const std::string_view member : condition.members) {
      bool ignored = false;
      added.members.push_back({std::string(member), value_of(member, ignored)});
    }
    for (const std::string_view alternative : condition.alternatives) {
      TrialStep& one = step("OR", alternative);
      one.value = value_of(alternative, one.held);
    }
  }
  void tell_variables() {
    const auto parsed = sql::parse_statement(message_.sql, program_.options().dialect);
    for (std::size_t i = 0; parsed && i < parsed->variables.size(); ++i) {
      step("SET", "@" + parsed->variables[i].name).value =
          json_of(evaluation_, evaluation_.variable(static_cast<std::uint32_t>(i)));
    }
  }
  /// What each item of SELECT is by itself; one that is Undefined is why a member is missing.
  void tell_items() {
    const auto parsed = sql::parse_statement(message_.sql, program_.options().dialect);
    for (std::size_t i = 0; parsed && i < parsed->items.size(); ++i) {
      const sql::SelectItem& item = parsed->items[i];
      if (item.value.kind == sql::Expression::Kind::star && item.alias.empty()) continue;
      const auto node = program_.compile(item.value, message_.sql);
      if (!node) continue;
      std::string name;
      for (const std::string& part : item.alias.empty() ? sql::implied_name(item.value) : item.alias) {
        name += (name.empty() ? "" : ".") + part;
      }
      step("SELECT", parsed->value_only ? "VALUE" : name).value =
          json_of(evaluation_, program_.evaluate(evaluation_, *node));
    }
  }

  void select(const sql::Statement& statement) {
    const auto one = [&] {
      const auto text = statement.select(program_, evaluation_);
      if (text) trial_.outputs.emplace_back(*text);
      if (!text) failed({"the payload is not a JSON object, members cannot be added to it", {}, 0, 0});
      return text.has_value();
    };
    if (!statement.expands()) {
      one();
      return;
    }
    const sql::Value array = statement.expand(program_, evaluation_);
    TrialStep& expansion = step("FOREACH", "");
    expansion.value = json_of(evaluation_, array);
    expansion.held = !array.is_undefined();
    if (array.is_undefined()) return;
    std::size_t told = 0;
    const auto tried = [&](const sql::Value& element) {
      const bool included = statement.includes(program_, evaluation_, element);
      constexpr std::size_t kMostTold = 100;
      if (told++ < kMostTold) {
        TrialStep& each = step("INCASE", json_of(evaluation_, element));
        each.held = included;
      }
      return !included || one();
    };
    if (array.type() != sql::Value::Type::array) {
      tried(array);
      return;
    }
    sql::ArrayItems items(array);
    for (auto item = items.next(); item && tried(*item) && !evaluation_.exhausted();) item = items.next();
  }

  const TrialMessage& message_;
  sql::Paths paths_;
  sql::Program program_;
  sql::Evaluation evaluation_;
  DeviceMessage device_;
  std::string_view topic_;
  RuleTrial trial_;
};

std::string quoted(std::string_view text) {
  sql::Arena arena(text.size() + 64);
  sql::TextWriter out(arena);
  sql::write_json_string(out, text);
  return std::string(out.view());
}

bool is_text(std::string_view bytes) {
  return quoted(bytes).find("\xEF\xBF\xBD") == std::string::npos ||
         bytes.find("\xEF\xBF\xBD") != std::string_view::npos;
}

/// The output as a member's value, its name in front.
std::string output_member(std::string_view name, std::string_view output) {
  sql::JsonDocument document;
  document.set_max_depth(sql::JsonDocument::kMaxDepth);
  if (document.parse(output)) {
    std::string line(output);
    // A payload that is handed on may hold line ends, which JSON allows only between tokens.
    std::replace_if(line.begin(), line.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
    return fmt::format("\"{}\":{}", name, line);
  }
  if (is_text(output)) return fmt::format("\"{}\":{}", name, quoted(output));
  return fmt::format("\"{}Base64\":\"{}\"", name, to_base64(as_bytes(output)));
}

std::string trace_of(const RuleTrial& trial) {
  std::string out = ",\"trace\":[";
  const auto value = [](std::string_view json) {
    return json.empty() ? std::string("\"undefined\":true") : fmt::format("\"value\":{}", json);
  };
  for (const TrialStep& step : trial.steps) {
    if (out.back() == '}') out += ',';
    out += fmt::format("{{\"clause\":\"{}\",\"text\":{},\"held\":{}", step.clause, quoted(step.text), step.held);
    if (step.clause != "FROM" && step.clause != "payload" && step.clause != "INCASE") out += "," + value(step.value);
    if (!step.members.empty()) out += ",\"members\":[";
    for (const TrialStep::Member& member : step.members) {
      if (out.back() == '}') out += ',';
      out += fmt::format("{{\"name\":{},{}}}", quoted(member.name), value(member.value));
    }
    out += step.members.empty() ? "}" : "]}";
  }
  return out + "]";
}

}  // namespace

RuleTrial try_rule(const TrialMessage& message) {
  if (message.sql_version != "2015-10-08" && message.sql_version != "2016-03-23") {
    RuleTrial out;
    out.error = TrialError{"awsIotSqlVersion is 2016-03-23 or 2015-10-08", {}, 0, 0};
    return out;
  }
  return Trying(message).run();
}

Result<TrialMessage> parse_trial(std::string_view json, std::int64_t now) {
  const auto malformed = [](std::string why) { return fail(ErrorCode::malformed, "rule trial", std::move(why)); };
  sql::JsonDocument document;
  document.set_max_depth(sql::JsonDocument::kMaxDepth);
  if (!document.parse(json)) return malformed("not JSON: " + document.fault_text());
  const sql::Value root = sql::Value::of(document, sql::JsonDocument::kRoot);
  if (root.type() != sql::Value::Type::object) return malformed("not an object");
  sql::Arena arena(json.size() + 1024);
  TrialMessage out;
  const auto text = [&](std::string_view name, std::string& to) {
    const sql::Value value = root.member(name);
    if (value.is_string()) to = value.characters(arena);
    return value.is_string();
  };
  // Members of one's own (a name, what is expected) are read past; one that is nearly a missing one of ours is a slip.
  static constexpr std::string_view kMembers[] = {"sql",      "topic",     "payload",   "payloadBase64",
                                                  "clientId", "principal", "timestamp", "awsIotSqlVersion",
                                                  "strictSql"};
  for (std::uint32_t at = 1; at < document.node(0).end; at = document.node(at).end) {
    const std::string_view name = document.key_of(document.node(at));
    if (std::ranges::find(kMembers, name) != std::end(kMembers)) continue;
    const std::string_view near = sql::nearest_word(name, kMembers);
    if (near.empty() || !root.member(near).is_undefined()) continue;
    return malformed(fmt::format("there is no member \"{}\"; did you mean \"{}\"?", name, near));
  }
  for (const std::string_view name : {"topic", "payloadBase64", "clientId", "principal", "awsIotSqlVersion"}) {
    const sql::Value value = root.member(name);
    if (!value.is_undefined() && !value.is_string()) return malformed(fmt::format("\"{}\" is no string", name));
  }
  if (!root.member("payload").is_undefined() && !root.member("payloadBase64").is_undefined()) {
    return malformed("it has both \"payload\" and \"payloadBase64\"");
  }
  if (!text("sql", out.sql)) return malformed("\"sql\" is missing, or no string");
  text("awsIotSqlVersion", out.sql_version);
  text("clientId", out.client_id);
  text("principal", out.username);
  out.strict = root.member("strictSql").is_true();
  if (std::string topic; text("topic", topic)) out.topic = std::move(topic);
  if (std::string encoded; text("payloadBase64", encoded)) {
    out.payload.resize(encoded.size());
    const auto size = decode_base64(encoded, reinterpret_cast<std::uint8_t*>(out.payload.data()));
    if (!size) return malformed("\"payloadBase64\" is not base64");
    out.payload.resize(*size);
  } else if (const sql::Value payload = root.member("payload");
             !payload.is_undefined() && !text("payload", out.payload)) {
    sql::TextWriter source(arena);
    sql::write_json(source, arena, payload);
    out.payload = source.view();
  }
  out.timestamp = now;
  if (const sql::Value time = root.member("timestamp"); !time.is_undefined()) {
    const auto number = time.is_number() ? sql::Decimal::parse(time.source()) : std::nullopt;
    const auto whole = number ? number->to_int64() : std::nullopt;
    if (!whole) return malformed("\"timestamp\" is in whole milliseconds since 1970");
    out.timestamp = *whole;
  }
  return out;
}

std::string to_json(const RuleTrial& trial, bool with_trace) {
  std::string out = fmt::format("{{\"matched\":{},", trial.matched);
  if (trial.expands) {
    out += "\"output\":null,\"records\":[";
    for (const std::string& output : trial.outputs) {
      const std::string member = output_member("record", output);
      out += (&output == &trial.outputs.front() ? "" : ",") +
             (member.starts_with("\"record\":") ? member.substr(9) : "{" + member + "}");
    }
    out += "]";
  } else {
    out += trial.outputs.empty() ? "\"output\":null" : output_member("output", trial.outputs.front());
  }
  if (trial.error) {
    out += ",\"error\":{\"message\":" + quoted(trial.error->message);
    if (trial.error->line > 0) out += fmt::format(",\"line\":{},\"column\":{}", trial.error->line, trial.error->column);
    out += "}";
  }
  if (with_trace) out += trace_of(trial);
  return out + "}";
}

}  // namespace millrace::rules
