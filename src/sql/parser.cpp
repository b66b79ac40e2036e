#include "sql/parser.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace::sql {

namespace {

using Kind = Token::Kind;

std::string show(const Token& token) {
  switch (token.kind) {
    case Kind::end:
      return "the end of the statement";
    case Kind::unterminated:
      return token.text.starts_with('/') ? "a comment without its end" : "a string without its closing quote";
    case Kind::string:
      return fmt::format("the string {}{}{}", token.quote, token.text.substr(0, 40), token.quote);
    default:
      return fmt::format("'{}'", token.text.substr(0, 40));
  }
}

/// Counts one level of nesting while it lives.
class Nested {
 public:
  explicit Nested(int& depth) : depth_(depth) { ++depth_; }
  ~Nested() { --depth_; }
  Nested(const Nested&) = delete;
  Nested& operator=(const Nested&) = delete;

 private:
  int& depth_;
};

Expression make(Expression::Kind kind, std::uint32_t at) {
  Expression node;
  node.kind = kind;
  node.at = at;
  return node;
}

}  // namespace

std::string describe_position(std::string_view text, std::uint32_t at, std::string_view what) {
  const std::size_t position = std::min<std::size_t>(at, text.size());
  const std::size_t before = position == 0 ? std::string_view::npos : text.rfind('\n', position - 1);
  const std::size_t start = before == std::string_view::npos ? 0 : before + 1;
  const std::size_t stop = std::min(text.find('\n', position), text.size());
  const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(start), '\n');
  // Long lines show a window around the position; columns count characters, not bytes.
  constexpr std::size_t kBefore = 60;
  constexpr std::size_t kAfter = 40;
  const auto is_start = [&](std::size_t i) { return (static_cast<unsigned char>(text[i]) & 0xC0U) != 0x80U; };
  std::size_t column = 1;
  for (std::size_t i = start; i < position; ++i) column += is_start(i) ? 1 : 0;
  std::size_t from = position - start > kBefore ? position - kBefore : start;
  while (from > start && from < position && !is_start(from)) ++from;
  std::size_t to = std::min(stop, position + kAfter);
  while (to < stop && !is_start(to)) ++to;
  std::string shown(text.substr(from, to - from));
  std::replace_if(shown.begin(), shown.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  std::size_t indent = 0;
  for (std::size_t i = from; i < position; ++i) indent += is_start(i) ? 1 : 0;
  return fmt::format("line {}, column {}: {}\n  {}\n  {}^", line, column, what, shown, std::string(indent, ' '));
}

Parser::Parser(std::string_view text, Dialect dialect) : text_(text), dialect_(dialect), lexer_(text, dialect) {
  token_ = lexer_.next();
  following_ = lexer_.next();
}

void Parser::advance() {
  token_ = following_;
  following_ = lexer_.next();
}

std::unexpected<Error> Parser::refuse(std::uint32_t at, std::string_view what) const {
  return fail(ErrorCode::invalid_argument, "SQL", describe_position(text_, at, what));
}

std::unexpected<Error> Parser::expected(std::string_view what) const {
  return refuse(token_.at, fmt::format("found {}, expected {}", show(token_), what));
}

Result<void> Parser::take(Kind kind, std::string_view what) {
  if (!token_.is(kind)) return expected(what);
  advance();
  return {};
}

Result<SelectStatement> Parser::statement() {
  if (text_.size() > kMaxStatementBytes)
    return fail(ErrorCode::too_large, "SQL", "the statement is longer than 256 KiB");
  SelectStatement out;
  if (token_.is_word("SET")) {
    MR_TRY(assignments(out));
  }
  if (token_.is_word("FOREACH")) {
    MR_TRY(expansion(out));
  } else {
    if (!token_.is_word("SELECT")) return expected(out.variables.empty() ? "SELECT" : "',' or SELECT");
    advance();
    MR_TRY(select_list(out));
  }
  if (token_.is_word("FROM")) {
    MR_TRY(from(out));
  }
  if (token_.is_word("WHERE")) {
    advance();
    MR_TRY_ASSIGN(out.where, expression());
  }
  if (!token_.is(Kind::end)) {
    return expected(out.where              ? "an operator or the end"
                    : !out.filters.empty() ? "WHERE or the end"
                                           : "',', AS, FROM, WHERE or the end");
  }
  return out;
}

Result<Expression> Parser::whole_expression() {
  MR_TRY_ASSIGN(Expression out, expression());
  if (!token_.is(Kind::end)) return expected("an operator or the end of the expression");
  return out;
}

Result<void> Parser::extension(std::uint32_t at, std::string_view what) const {
  if (dialect_ == Dialect::extended) return {};
  return refuse(at, fmt::format("{} is no part of AWS's language, and this rule is held to it (strict)", what));
}

/// SET @a = expression, @b = expression
Result<void> Parser::assignments(SelectStatement& out) {
  constexpr std::size_t kMostVariables = 64;
  constexpr std::size_t kMostName = 64;
  do {
    advance();  // SET or a comma
    Assignment one;
    one.at = token_.at;
    if (!token_.is(Kind::variable) || token_.text.size() < 2) return expected("a variable, as @name");
    if (token_.text.size() > kMostName + 1)
      return refuse(token_.at, "the variable's name is longer than 64 characters");
    one.name = std::string(token_.text.substr(1));
    const auto same = [&](const Assignment& other) { return other.name == one.name; };
    if (std::any_of(out.variables.begin(), out.variables.end(), same))
      return refuse(one.at, fmt::format("@{} is assigned twice; a variable is assigned once", one.name));
    advance();
    MR_TRY(take(Kind::equal, "'='"));
    MR_TRY_ASSIGN(one.value, expression());
    out.variables.push_back(std::move(one));
    if (out.variables.size() > kMostVariables) return refuse(token_.at, "SET has more than 64 variables");
  } while (token_.is(Kind::comma));
  return {};
}

/// FOREACH array [AS name] [DO items] [INCASE condition]
Result<void> Parser::expansion(SelectStatement& out) {
  MR_TRY(extension(token_.at, "FOREACH"));
  advance();
  Expansion each;
  MR_TRY_ASSIGN(each.array, expression());
  if (token_.is_word("AS")) {
    advance();
    if (!token_.is(Kind::word)) return expected("a name behind AS");
    each.name = std::string(token_.text);
    advance();
  }
  if (token_.is_word("DO")) {
    advance();
    MR_TRY(select_list(out));
  } else {
    // The element itself.
    out.value_only = true;
    Expression element = make(Expression::Kind::path, token_.at);
    element.names.push_back(each.name);
    out.items.push_back({std::move(element), {}, token_.at});
  }
  if (token_.is_word("INCASE")) {
    advance();
    MR_TRY_ASSIGN(each.condition, expression());
  }
  out.expansion = std::move(each);
  return {};
}

/// SELECT items FROM array-or-object [WHERE condition], in parentheses.
Result<Expression> Parser::nested_select() {
  const Nested nested(depth_);
  if (depth_ > kMaxDepth) return refuse(token_.at, "the expression is nested more than 64 levels deep");
  Expression out = make(Expression::Kind::select, token_.at);
  advance();
  auto statement = std::make_shared<SelectStatement>();
  MR_TRY(select_list(*statement));
  if (!token_.is_word("FROM")) return expected("',', AS or FROM");
  advance();
  if (token_.is(Kind::string)) return expected("an array of the payload, not a topic filter");
  MR_TRY_ASSIGN(statement->source, postfix());
  if (token_.is_word("WHERE")) {
    advance();
    MR_TRY_ASSIGN(statement->where, expression());
  }
  out.nested = std::move(statement);
  return out;
}

/// SELECT VALUE expr, but `SELECT value, ...` and `SELECT value * 2` read a member called value.
bool Parser::value_keyword() const {
  if (!token_.is_word("VALUE")) return false;
  switch (following_.kind) {
    case Kind::word:
      return !following_.is_word("AS") && !following_.is_word("FROM") && !following_.is_word("WHERE") &&
             !following_.is_word("AND") && !following_.is_word("OR") && !following_.is_word("IN") &&
             !following_.is_word("IS") && !following_.is_word("NOT") && !following_.is_word("INCASE") &&
             !following_.is_word("LIKE") && !following_.is_word("BETWEEN");
    case Kind::number:
    case Kind::string:
    case Kind::open_paren:
    case Kind::open_bracket:
    case Kind::open_brace:
    case Kind::variable:
      return true;
    case Kind::star: {
      Lexer ahead(text_.substr(following_.at + 1), dialect_);
      const Token next = ahead.next();
      return next.is(Kind::end) || next.is_word("FROM") || next.is_word("WHERE");
    }
    default:
      return false;
  }
}

Result<void> Parser::select_list(SelectStatement& out) {
  if (value_keyword()) {
    out.value_only = true;
    advance();
  }
  while (true) {
    MR_TRY(select_item(out));
    if (!token_.is(Kind::comma)) return {};
    if (out.value_only) return refuse(token_.at, "SELECT VALUE takes one expression");
    advance();
  }
}

Result<void> Parser::select_item(SelectStatement& out) {
  SelectItem item;
  item.at = token_.at;
  if (token_.is(Kind::star)) {
    item.value = make(Expression::Kind::star, token_.at);
    advance();
  } else {
    MR_TRY_ASSIGN(item.value, expression());
  }
  if (token_.is_word("AS")) {
    const std::uint32_t as_at = token_.at;
    advance();
    if (!token_.is(Kind::word)) return expected("a name behind AS");
    MR_TRY(dotted(item.alias));
    if (out.value_only) return refuse(as_at, "SELECT VALUE takes no AS");
  }
  out.items.push_back(std::move(item));
  return {};
}

/// name(.name)*; any word may be a name here, also keywords.
Result<void> Parser::dotted(std::vector<std::string>& names) {
  names.emplace_back(token_.text);
  advance();
  while (token_.is(Kind::dot)) {
    advance();
    if (!token_.is(Kind::word)) return expected("a name behind '.'");
    names.emplace_back(token_.text);
    advance();
  }
  if (names.size() > static_cast<std::size_t>(kMaxDepth)) return refuse(token_.at, "the path has more than 64 names");
  return {};
}

Result<void> Parser::from(SelectStatement& out) {
  advance();
  if (!token_.is(Kind::string)) {
    if (token_.is(Kind::open_paren)) return refuse(token_.at, "a nested SELECT behind FROM is not supported");
    return expected("a topic filter in quotes");
  }
  constexpr std::size_t kMostFilters = 64;
  out.filters.push_back(token_.characters());
  advance();
  while (token_.is(Kind::comma)) {
    MR_TRY(extension(token_.at, "a list of topic filters in FROM"));
    advance();
    if (!token_.is(Kind::string)) return expected("a topic filter in quotes");
    out.filters.push_back(token_.characters());
    if (out.filters.size() > kMostFilters) return refuse(token_.at, "FROM has more than 64 topic filters");
    advance();
  }
  return {};
}

Result<Expression> Parser::logical(std::string_view word, Expression::Kind kind,
                                   Result<Expression> (Parser::*operand)()) {
  MR_TRY_ASSIGN(Expression first, (this->*operand)());
  if (!token_.is_word(word)) return first;
  Expression out = make(kind, token_.at);
  out.arguments.push_back(std::move(first));
  while (token_.is_word(word)) {
    advance();
    MR_TRY_ASSIGN(Expression next, (this->*operand)());
    out.arguments.push_back(std::move(next));
  }
  return out;
}

Result<Expression> Parser::chain(std::initializer_list<Level> levels, Result<Expression> (Parser::*operand)()) {
  const auto find = [&] {
    return std::find_if(levels.begin(), levels.end(), [&](const Level& level) { return token_.is(level.token); });
  };
  MR_TRY_ASSIGN(Expression first, (this->*operand)());
  if (find() == levels.end()) return first;
  Expression out = make(Expression::Kind::chain, token_.at);
  out.arguments.push_back(std::move(first));
  for (auto level = find(); level != levels.end(); level = find()) {
    out.operators.push_back(level->op);
    advance();
    MR_TRY_ASSIGN(Expression next, (this->*operand)());
    out.arguments.push_back(std::move(next));
  }
  return out;
}

Result<Expression> Parser::expression() {
  const Nested nested(depth_);
  if (depth_ > kMaxDepth) return refuse(token_.at, "the expression is nested more than 64 levels deep");
  return logical("OR", Expression::Kind::logical_or, &Parser::conjunction);
}

Result<Expression> Parser::conjunction() {
  return logical("AND", Expression::Kind::logical_and, &Parser::negation);
}

Result<Expression> Parser::negation() {
  if (!token_.is_word("NOT")) return comparison();
  const Nested nested(depth_);
  if (depth_ > kMaxDepth) return refuse(token_.at, "the expression is nested more than 64 levels deep");
  Expression out = make(Expression::Kind::logical_not, token_.at);
  advance();
  MR_TRY_ASSIGN(Expression operand, negation());
  out.arguments.push_back(std::move(operand));
  return out;
}

Result<Expression> Parser::comparison() {
  MR_TRY_ASSIGN(Expression out, chain({{Kind::equal, Operator::equal},
                                       {Kind::not_equal, Operator::not_equal},
                                       {Kind::less, Operator::less},
                                       {Kind::less_equal, Operator::less_equal},
                                       {Kind::greater, Operator::greater},
                                       {Kind::greater_equal, Operator::greater_equal}},
                                      &Parser::sum));
  return extended_test(std::move(out));
}

/// subject [NOT] IN (...), [NOT] LIKE pattern, [NOT] BETWEEN low AND high, IS [NOT] NULL
Result<Expression> Parser::extended_test(Expression subject) {
  const std::uint32_t at = token_.at;
  const Token& word = token_.is_word("NOT") ? following_ : token_;
  if (!word.is_word("IN") && !word.is_word("LIKE") && !word.is_word("BETWEEN") && !token_.is_word("IS")) return subject;
  bool negated = token_.is_word("NOT");
  if (negated) advance();
  Expression out = make(Expression::Kind::test, at);
  if (token_.is_word("IN")) {
    MR_TRY(extension(at, "IN"));
    advance();
    MR_TRY_ASSIGN(out, in_test(std::move(subject), at));
  } else if (token_.is_word("LIKE")) {
    MR_TRY(extension(at, "LIKE"));
    advance();
    out.text = "LIKE";
    MR_TRY_ASSIGN(Expression pattern, sum());
    out.arguments.push_back(std::move(subject));
    out.arguments.push_back(std::move(pattern));
  } else if (token_.is_word("BETWEEN")) {
    MR_TRY(extension(at, "BETWEEN"));
    advance();
    out.text = "BETWEEN";
    MR_TRY_ASSIGN(Expression low, sum());
    if (!token_.is_word("AND")) return expected("AND and the upper bound of BETWEEN");
    advance();
    MR_TRY_ASSIGN(Expression high, sum());
    out.arguments.push_back(std::move(subject));
    out.arguments.push_back(std::move(low));
    out.arguments.push_back(std::move(high));
  } else {
    MR_TRY(extension(at, "IS NULL"));
    advance();
    negated = token_.is_word("NOT");
    if (negated) advance();
    if (!token_.is_word("NULL")) return expected(negated ? "NULL" : "NULL or NOT NULL");
    advance();
    out.text = "IS NULL";
    out.arguments.push_back(std::move(subject));
  }
  if (!negated) return out;
  Expression opposite = make(Expression::Kind::logical_not, at);
  opposite.arguments.push_back(std::move(out));
  return opposite;
}

/// Behind IN: a list in parentheses, a nested SELECT, or whatever yields an array.
Result<Expression> Parser::in_test(Expression subject, std::uint32_t at) {
  Expression out = make(Expression::Kind::test, at);
  out.arguments.push_back(std::move(subject));
  if (!token_.is(Kind::open_paren) || following_.is_word("SELECT")) {
    out.text = "IN ARRAY";
    MR_TRY_ASSIGN(Expression array, sum());
    out.arguments.push_back(std::move(array));
    return out;
  }
  out.text = "IN";
  do {
    advance();  // the parenthesis or a comma
    MR_TRY_ASSIGN(Expression candidate, expression());
    out.arguments.push_back(std::move(candidate));
  } while (token_.is(Kind::comma));
  MR_TRY(take(Kind::close_paren, "',' or ')'"));
  return out;
}

Result<Expression> Parser::sum() {
  return chain({{Kind::plus, Operator::add}, {Kind::minus, Operator::subtract}}, &Parser::product);
}

Result<Expression> Parser::product() {
  return chain({{Kind::star, Operator::multiply}, {Kind::slash, Operator::divide}, {Kind::percent, Operator::modulo}},
               &Parser::unary);
}

Result<Expression> Parser::unary() {
  if (!token_.is(Kind::minus) && !token_.is(Kind::plus)) return postfix();
  const Nested nested(depth_);
  if (depth_ > kMaxDepth) return refuse(token_.at, "the expression is nested more than 64 levels deep");
  const bool minus = token_.is(Kind::minus);
  Expression out = make(Expression::Kind::negate, token_.at);
  advance();
  MR_TRY_ASSIGN(Expression operand, unary());
  if (!minus) return operand;
  if (operand.kind == Expression::Kind::number && operand.text.front() != '-') {
    operand.text.insert(0, 1, '-');
    return operand;
  }
  out.arguments.push_back(std::move(operand));
  return out;
}

Result<Expression> Parser::postfix() {
  MR_TRY_ASSIGN(Expression out, primary());
  if (token_.is(Kind::open_bracket))
    return refuse(token_.at, "an index in brackets is not supported; use get(array, index)");
  if (!token_.is(Kind::dot)) return out;
  Expression member = make(Expression::Kind::member, token_.at);
  advance();
  if (!token_.is(Kind::word)) return expected("a name behind '.'; other names are reached with get(object, \"name\")");
  MR_TRY(dotted(member.names));
  member.arguments.push_back(std::move(out));
  return member;
}

}  // namespace millrace::sql
