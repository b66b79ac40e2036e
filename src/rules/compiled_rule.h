// CompiledRule: a rule ready to run: statement and action templates. Immutable; shared by all loops.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "rules/rule_set.h"
#include "rules/template_text.h"
#include "sql/statement.h"

namespace millrace::rules {

/// MQTT 5 properties of a republished message.
struct CompiledProperties {
  std::optional<TemplateText> payload_format_indicator;
  std::optional<TemplateText> content_type;
  std::optional<TemplateText> response_topic;
  std::optional<TemplateText> correlation_data;
  std::optional<TemplateText> message_expiry;
  struct User {
    TemplateText key;
    TemplateText value;
  };
  std::vector<User> user_properties;
};

/// What a deferred action has beyond its target.
struct CompiledRequest {
  std::string_view method;  // kept by the program's Paths, as the headers' names
  struct Header {
    std::string_view name;
    TemplateText value;
  };
  std::vector<Header> headers;
  std::optional<TemplateText> key;
  std::optional<TemplateText> body;
  std::optional<TemplateText> text;
  std::optional<TemplateText> answer_topic;
  std::optional<TemplateText> answer_key;
  std::uint32_t destination = 0;
  std::uint32_t max_batch_size = 0;
  std::uint32_t max_batch_bytes = 0;
  std::uint32_t max_batch_open_ms = 0;
  std::uint32_t timeout_ms = 0;
  std::uint64_t give_up_after_ms = 0;
};

/// What few kafka actions have.
struct CompiledPlacement {
  std::optional<TemplateText> partition;
  struct Header {
    TemplateText key;
    TemplateText value;
  };
  std::vector<Header> headers;
};

/// Small, as there may be hundreds of thousands.
struct CompiledAction {
  explicit CompiledAction(TemplateText topic_in) : topic(std::move(topic_in)) {}
  ActionDefinition::Kind kind = ActionDefinition::Kind::kafka;
  bool reserved_topic = false;  // republish to $$...: the author's own word for a topic that starts with $
  bool retain = false;
  std::uint8_t qos = 0;
  TemplateText topic;
  std::optional<TemplateText> key;
  std::unique_ptr<CompiledPlacement> placement;    // kafka
  std::unique_ptr<CompiledProperties> properties;  // republish
  std::unique_ptr<CompiledRequest> request;        // deferred actions; `topic` is URL or file name
};

class CompiledRule {
 public:
  /// Error: invalid_argument naming the rule and the place in it.
  static Result<CompiledRule> compile(const RuleDefinition& definition, sql::Paths& paths);

  sql::Program program;  // every expression below
  sql::Statement statement;
  std::vector<CompiledAction> actions;
  std::unique_ptr<CompiledAction> error_action;

 private:
  CompiledRule(sql::Program program_in, sql::Statement statement_in)
      : program(std::move(program_in)), statement(std::move(statement_in)) {}
};

}  // namespace millrace::rules
