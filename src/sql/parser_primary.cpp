// The parser's lower half: literals, paths, calls, CASE, array and object literals.
#include <fmt/format.h>

#include "sql/parser.h"

namespace millrace::sql {

namespace {

using Kind = Token::Kind;

Expression make(Expression::Kind kind, std::uint32_t at) {
  Expression node;
  node.kind = kind;
  node.at = at;
  return node;
}

}  // namespace

Result<Expression> Parser::primary() {
  switch (token_.kind) {
    case Kind::word:
      return word_expression();
    case Kind::number:
    case Kind::string: {
      Expression out = make(token_.is(Kind::number) ? Expression::Kind::number : Expression::Kind::string, token_.at);
      out.text = token_.characters();
      advance();
      return out;
    }
    case Kind::star: {
      // Only as an operand: the parser of the SELECT list takes a leading star itself.
      Expression out = make(Expression::Kind::star, token_.at);
      advance();
      return out;
    }
    case Kind::open_paren: {
      const bool select = following_.is_word("SELECT");
      advance();
      MR_TRY_ASSIGN(Expression out, select ? nested_select() : expression());
      MR_TRY(take(Kind::close_paren, "an operator or ')'"));
      return out;
    }
    case Kind::open_bracket:
      return array_literal();
    case Kind::open_brace:
      return object_literal();
    case Kind::variable:
      return variable();
    default:
      return expected("an expression");
  }
}

/// @name or @name.member.member
Result<Expression> Parser::variable() {
  if (token_.text.size() < 2) return expected("a variable's name behind '@'");
  Expression out = make(Expression::Kind::variable, token_.at);
  token_.text.remove_prefix(1);
  MR_TRY(dotted(out.names));
  return out;
}

Result<Expression> Parser::word_expression() {
  const Token name = token_;
  if (name.is_word("NULL")) {
    advance();
    return make(Expression::Kind::null, name.at);
  }
  if (name.is_word("TRUE") || name.is_word("FALSE")) {
    advance();
    Expression out = make(Expression::Kind::boolean, name.at);
    out.truth = name.is_word("TRUE");
    return out;
  }
  if (name.is_word("CASE")) return case_expression();
  if (name.is_reserved()) return expected("an expression");
  if (following_.is(Kind::open_paren)) {
    advance();
    return call(name);
  }
  Expression out = make(Expression::Kind::path, name.at);
  MR_TRY(dotted(out.names));
  return out;
}

Result<Expression> Parser::call(const Token& name) {
  Expression out = make(Expression::Kind::call, name.at);
  out.text = std::string(name.text);
  advance();
  if (token_.is(Kind::close_paren)) {
    advance();
    return out;
  }
  while (true) {
    MR_TRY_ASSIGN(Expression argument, expression());
    // cast(x AS type): the type is a word, handed on as a string.
    if (name.is_word("CAST") && token_.is_word("AS")) {
      advance();
      if (!token_.is(Kind::word)) return expected("a type behind AS");
      Expression type = make(Expression::Kind::string, token_.at);
      type.text = std::string(token_.text);
      advance();
      out.arguments.push_back(std::move(argument));
      argument = std::move(type);
    }
    out.arguments.push_back(std::move(argument));
    if (!token_.is(Kind::comma)) break;
    advance();
  }
  MR_TRY(take(Kind::close_paren, fmt::format("',' or ')' in the call of {}", name.text)));
  return out;
}

Result<Expression> Parser::case_expression() {
  Expression out = make(Expression::Kind::when, token_.at);
  advance();
  if (token_.is_word("WHEN")) {
    MR_TRY(extension(token_.at, "CASE without a value (searched CASE)"));
    out.kind = Expression::Kind::search;
  } else {
    MR_TRY_ASSIGN(Expression subject, expression());
    out.arguments.push_back(std::move(subject));
  }
  if (!token_.is_word("WHEN")) return expected("WHEN");
  while (token_.is_word("WHEN")) {
    advance();
    MR_TRY_ASSIGN(Expression test, expression());
    out.arguments.push_back(std::move(test));
    if (!token_.is_word("THEN")) return expected("THEN");
    advance();
    MR_TRY_ASSIGN(Expression result, expression());
    out.arguments.push_back(std::move(result));
  }
  if (token_.is_word("ELSE")) {
    advance();
    out.truth = true;
    MR_TRY_ASSIGN(Expression otherwise, expression());
    out.arguments.push_back(std::move(otherwise));
  }
  if (!token_.is_word("END")) return expected(out.truth ? "END" : "WHEN, ELSE or END");
  advance();
  return out;
}

Result<Expression> Parser::array_literal() {
  Expression out = make(Expression::Kind::array, token_.at);
  advance();
  if (token_.is(Kind::close_bracket)) {
    advance();
    return out;
  }
  while (true) {
    MR_TRY_ASSIGN(Expression item, expression());
    out.arguments.push_back(std::move(item));
    if (!token_.is(Kind::comma)) break;
    advance();
  }
  MR_TRY(take(Kind::close_bracket, "',' or ']'"));
  return out;
}

Result<Expression> Parser::object_literal() {
  Expression out = make(Expression::Kind::object, token_.at);
  advance();
  if (token_.is(Kind::close_brace)) {
    advance();
    return out;
  }
  while (true) {
    if (!token_.is(Kind::string) && !token_.is(Kind::word)) return expected("a member name in quotes");
    out.names.push_back(token_.characters());
    advance();
    MR_TRY(take(Kind::colon, "':'"));
    MR_TRY_ASSIGN(Expression value, expression());
    out.arguments.push_back(std::move(value));
    if (!token_.is(Kind::comma)) break;
    advance();
  }
  MR_TRY(take(Kind::close_brace, "',' or '}'"));
  return out;
}

Result<SelectStatement> parse_statement(std::string_view text, Dialect dialect) {
  return Parser(text, dialect).statement();
}
Result<Expression> parse_expression(std::string_view text, Dialect dialect) {
  if (text.size() > kMaxStatementBytes)
    return fail(ErrorCode::too_large, "SQL", "the expression is longer than 256 KiB");
  return Parser(text, dialect).whole_expression();
}

}  // namespace millrace::sql
