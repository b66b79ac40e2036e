// Runs tests/rules/*.test: one case per line. The format is described in tests/rules/README.md.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "codec/base64.h"
#include "rules/compiled_rule.h"
#include "rules/evaluator.h"

namespace millrace::rules {
namespace {

class CaseFile {
 public:
  explicit CaseFile(const std::filesystem::path& path) : path_(path), evaluation_(1), evaluator_(1) {}

  /// Returns the number of cases run.
  std::size_t run() {
    std::ifstream in(path_);
    for (std::string line; std::getline(in, line);) {
      ++line_;
      if (!line.empty() && line[0] != '#') run_line(line);
    }
    return cases_;
  }

 private:
  [[nodiscard]] std::string place() const { return path_.filename().string() + ":" + std::to_string(line_); }

  void run_line(const std::string& line) {
    const std::size_t space = line.find(' ');
    const std::string word = line.substr(0, space);
    const std::string rest = space == std::string::npos ? "" : line.substr(space + 1);
    if (word == "payload") {
      payload_ = rest;
    } else if (word == "payload-base64") {
      payload_.resize(rest.size());
      const auto size = decode_base64(rest, reinterpret_cast<std::uint8_t*>(payload_.data()));
      ASSERT_TRUE(size) << place();
      payload_.resize(*size);
    } else if (word == "topic") {
      topic_ = rest;
    } else if (word == "client") {
      client_ = rest;
    } else if (word == "time") {
      time_ = std::stoll(rest);
    } else if (word == "version") {
      version_ = rest;
    } else if (word == "templates") {
      empty_templates_ = rest == "empty";
    } else if (word == "where") {
      where_ = rest == "too";
    } else if (word == "dialect") {
      strict_ = rest == "strict";
    } else {
      run_case(line);
    }
  }

  void run_case(const std::string& line) {
    ++cases_;
    const std::size_t arrow = line.rfind(" => ");
    const bool empty = line.ends_with(" =>");
    ASSERT_TRUE(arrow != std::string::npos || empty) << place() << ": neither a setting nor a case";
    const std::string expected = empty ? "" : line.substr(arrow + 4);
    std::string text = line.substr(0, empty ? line.size() - 3 : arrow);
    text.erase(text.find_last_not_of(' ') + 1);
    if (text.starts_with("? ")) {
      EXPECT_EQ(expression(text.substr(2)), expected) << place();
      if (where_) {
        EXPECT_EQ(statement("SELECT VALUE 1 FROM '#' WHERE " + text.substr(2)), expected == "true" ? "1" : "(nothing)")
            << place();
      }
    } else if (text.starts_with("$ ")) {
      EXPECT_EQ(substitution(text.substr(2)), expected) << place();
    } else if (text.starts_with("! ")) {
      const std::string error = refusal(text.substr(2));
      EXPECT_NE(error.find(expected), std::string::npos) << place() << ": got " << error;
    } else {
      EXPECT_EQ(statement(text), expected) << place();
    }
  }

  [[nodiscard]] sql::Options options() const {
    sql::Options out;
    if (version_ == "2015-10-08") out.version = sql::Version::v2015_10_08;
    if (strict_) out.dialect = sql::Dialect::strict;
    out.empty_templates = empty_templates_;
    return out;
  }
  [[nodiscard]] DeviceMessage message() const {
    DeviceMessage out;
    out.topic = topic_;
    out.payload = as_bytes(payload_);
    out.client_id = client_;
    out.received_at = WallTime{time_};
    return out;
  }

  std::string expression(const std::string& text) {
    const auto parsed = sql::parse_expression(text, options().dialect);
    if (!parsed) return "(refused) " + parsed.error().detail;
    sql::Paths paths;
    sql::Program program(options(), paths);
    const auto node = program.compile(*parsed, text);
    if (!node) return "(refused) " + node.error().detail;
    const DeviceMessage current = message();
    evaluation_.begin(current, topic_);
    const sql::Value value = program.evaluate(evaluation_, *node);
    if (value.is_undefined()) return "undefined";
    sql::TextWriter out(evaluation_.arena());
    write_json(out, evaluation_.arena(), value);
    return std::string(out.view());
  }

  std::string substitution(const std::string& text) {
    sql::Paths paths;
    sql::Program program(options(), paths);
    const auto parsed = TemplateText::compile(text, program);
    if (!parsed) return "(refused) " + parsed.error().detail;
    const DeviceMessage current = message();
    evaluation_.begin(current, topic_);
    const auto resolved = parsed->resolve(program, evaluation_);
    return resolved ? std::string(*resolved) : "(unresolved) " + std::string(parsed->unresolved(program, evaluation_));
  }

  [[nodiscard]] RuleDefinition definition(const std::string& sql) const {
    RuleDefinition out;
    out.name = "test_rule";
    out.sql = sql;
    out.sql_version = version_;
    out.strict = strict_;
    ActionDefinition action;
    action.kafka.topic = "out";
    out.actions.push_back(action);
    action.kafka.topic = "errors";
    out.error_action = action;
    return out;
  }

  std::string statement(const std::string& sql) {
    const auto rules = RuleSet::compile({definition(sql)});
    if (!rules) return "(refused) " + rules.error().message();
    const auto outcome = evaluator_.evaluate(**rules, message());
    if (outcome.outputs.empty()) return "(nothing)";
    if (outcome.outputs[0].action == kErrorAction) return "(failed)";
    std::string all;
    for (const RuleOutput& output : outcome.outputs) {
      all += (all.empty() ? "" : " | ") + std::string(as_text(output.value));
    }
    return all;
  }

  [[nodiscard]] std::string refusal(const std::string& text) const {
    if (text.starts_with("? ")) {
      const std::string source = text.substr(2);
      const auto parsed = sql::parse_expression(source, options().dialect);
      if (!parsed) return parsed.error().detail;
      sql::Paths paths;
      const auto node = sql::Program(options(), paths).compile(*parsed, source);
      return node ? "(accepted)" : node.error().detail;
    }
    const auto rules = RuleSet::compile({definition(text)});
    return rules ? "(accepted)" : rules.error().message();
  }

  std::filesystem::path path_;
  int line_ = 0;
  std::size_t cases_ = 0;
  std::string payload_ = "{}";
  std::string topic_ = "t";
  std::string client_;
  std::string version_ = "2016-03-23";
  bool strict_ = false;
  bool where_ = false;
  bool empty_templates_ = false;
  std::int64_t time_ = 0;
  sql::Evaluation evaluation_;
  Evaluator evaluator_;
};

TEST(Language, TextFiles) {
  const std::filesystem::path folder = std::filesystem::path(MILLRACE_SOURCE_DIR) / "tests/rules";
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".test") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  ASSERT_FALSE(files.empty());
  for (const auto& file : files) EXPECT_GT(CaseFile(file).run(), 0U) << file;
}

}  // namespace
}  // namespace millrace::rules
