#include "rules/template_text.h"

#include <algorithm>
#include <vector>

#include "sql/ast.h"
#include "sql/lexer.h"

namespace millrace::rules {

namespace {

/// Bytes of the expression at the front of `text`, up to the brace that closes it; npos when there is none. Braces in
/// strings and of object literals do not count.
std::size_t expression_size(std::string_view text) {
  sql::Lexer lexer(text);
  int open = 0;
  while (true) {
    const sql::Token token = lexer.next();
    if (token.is(sql::Token::Kind::end) || token.is(sql::Token::Kind::unterminated)) return std::string_view::npos;
    if (token.is(sql::Token::Kind::open_brace)) ++open;
    if (token.is(sql::Token::Kind::close_brace) && open-- == 0) return token.at;
  }
}

}  // namespace

Result<TemplateText> TemplateText::compile(std::string_view given, sql::Program& program) {
  TemplateText out;
  const std::string_view text = program.paths().keep(given);
  out.source_ = text;
  if (text.find("${") == std::string_view::npos) return out;
  std::vector<Part> parts;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t open = text.find("${", at);
    if (open != at) {
      const std::size_t end = open == std::string_view::npos ? text.size() : open;
      parts.push_back(Part{text.substr(at, end - at), false, 0});
      at = end;
      continue;
    }
    const std::string_view rest = text.substr(at + 2);
    const std::size_t size = expression_size(rest);
    if (size == std::string_view::npos) {
      return fail(ErrorCode::invalid_argument, "template",
                  sql::describe_position(text, static_cast<std::uint32_t>(at), "'${' without its '}'"));
    }
    const std::string_view source = rest.substr(0, size);
    MR_TRY_ASSIGN(const sql::Expression expression, sql::parse_expression(source, program.options().dialect));
    MR_TRY_ASSIGN(const auto node, program.compile(expression, source));
    parts.push_back(Part{text.substr(at, size + 3), true, node});
    at += size + 3;
  }
  out.count_ = static_cast<std::uint32_t>(parts.size());
  out.parts_ = std::make_unique<Part[]>(parts.size());
  std::ranges::copy(parts, out.parts_.get());
  return out;
}

/// What stands for one expression; nullopt: it does not resolve.
std::optional<std::string_view> TemplateText::text_of(const Part& part, const sql::Program& program,
                                                      sql::Evaluation& evaluation) {
  const sql::Value value = program.evaluate(evaluation, part.node);
  if (program.options().empty_templates && (value.is_undefined() || value.is_null())) return std::string_view();
  if (!evaluation.spend(value.weight() / sql::Evaluation::kBytesPerStep)) return std::nullopt;
  return sql::to_text(evaluation.arena(), value);
}

std::optional<std::string_view> TemplateText::resolve(const sql::Program& program, sql::Evaluation& evaluation) const {
  if (is_plain()) return source_;
  sql::Arena& arena = evaluation.arena();
  const std::span<const Part> parts = this->parts();
  if (parts.size() == 1) return text_of(parts[0], program, evaluation);
  // Values first, so that the text grows in one piece.
  auto* texts = arena.array<std::string_view>(parts.size());
  std::size_t size = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    texts[i] = parts[i].text;
    if (parts[i].expression) {
      const auto value = text_of(parts[i], program, evaluation);
      if (!value) return std::nullopt;
      texts[i] = *value;
    }
    size += texts[i].size();
  }
  const std::size_t steps = size / sql::Evaluation::kBytesPerStep;
  if (!evaluation.spend(size <= sql::kMaxResult ? steps : std::size_t{sql::Evaluation::kFuel} + 1)) return std::nullopt;
  char* const begin = arena.text(size);
  char* to = begin;
  for (std::size_t i = 0; i < parts.size(); ++i) to += texts[i].copy(to, texts[i].size());
  return std::string_view(begin, size);
}

std::string_view TemplateText::unresolved(const sql::Program& program, sql::Evaluation& evaluation) const {
  for (const Part& part : parts()) {
    if (part.expression && !text_of(part, program, evaluation)) return part.text;
  }
  return {};
}

}  // namespace millrace::rules
