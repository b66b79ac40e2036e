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
      return "a string without its closing quote";
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

Parser::Parser(std::string_view text) : text_(text), lexer_(text) {
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
  if (token_.is_word("SET")) return refuse(token_.at, "SET variables are not supported yet");
  if (!token_.is_word("SELECT")) return expected("SELECT");
  advance();
  SelectStatement out;
  MR_TRY(select_list(out));
  if (token_.is_word("FROM")) {
    MR_TRY(from(out));
  }
  if (token_.is_word("WHERE")) {
    advance();
    MR_TRY_ASSIGN(out.where, expression());
  }
  if (!token_.is(Kind::end)) {
    return expected(out.where    ? "an operator or the end"
                    : out.filter ? "WHERE or the end"
                                 : "',', AS, FROM, WHERE or the end");
  }
  return out;
}

Result<Expression> Parser::whole_expression() {
  MR_TRY_ASSIGN(Expression out, expression());
  if (!token_.is(Kind::end)) return expected("an operator or the end of the expression");
  return out;
}

/// SELECT VALUE expr, but `SELECT value, ...` and `SELECT value * 2` read a member called value.
bool Parser::value_keyword() const {
  if (!token_.is_word("VALUE")) return false;
  switch (following_.kind) {
    case Kind::word:
      return !following_.is_word("AS") && !following_.is_word("FROM") && !following_.is_word("WHERE") &&
             !following_.is_word("AND") && !following_.is_word("OR") && !following_.is_word("IN") &&
             !following_.is_word("IS") && !following_.is_word("LIKE") && !following_.is_word("BETWEEN");
    case Kind::number:
    case Kind::string:
    case Kind::open_paren:
    case Kind::open_bracket:
    case Kind::open_brace:
      return true;
    case Kind::star: {
      Lexer ahead(text_.substr(following_.at + 1));
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
  out.filter = token_.characters();
  out.filter_at = token_.at;
  advance();
  if (token_.is(Kind::comma)) return refuse(token_.at, "several topic filters in FROM are not supported yet");
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
  for (const std::string_view word : {"IN", "LIKE", "BETWEEN", "IS"}) {
    const bool negated = token_.is_word("NOT") && following_.is_word(word);
    if (token_.is_word(word) || negated) return refuse(token_.at, fmt::format("{} is not supported yet", word));
  }
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
