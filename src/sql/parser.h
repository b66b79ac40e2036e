// Parser: recursive descent over the tokens of one statement, depth counted. See ast.h for the entry points.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "sql/ast.h"
#include "sql/lexer.h"

namespace millrace::sql {

class Parser {
 public:
  Parser(std::string_view text, Dialect dialect);
  Result<SelectStatement> statement();
  Result<Expression> whole_expression();

 private:
  struct Level {
    Token::Kind token;
    Operator op;
  };
  Result<void> select_list(SelectStatement& out);
  Result<void> select_item(SelectStatement& out);
  Result<void> assignments(SelectStatement& out);
  Result<void> expansion(SelectStatement& out);
  Result<void> from(SelectStatement& out);
  Result<Expression> nested_select();
  Result<Expression> expression();
  Result<Expression> conjunction();
  Result<Expression> negation();
  Result<Expression> comparison();
  Result<Expression> extended_test(Expression subject);
  Result<Expression> in_test(Expression subject, std::uint32_t at);
  Result<Expression> sum();
  Result<Expression> product();
  Result<Expression> chain(std::initializer_list<Level> levels, Result<Expression> (Parser::*operand)());
  Result<Expression> logical(std::string_view word, Expression::Kind kind, Result<Expression> (Parser::*operand)());
  Result<Expression> unary();
  Result<Expression> postfix();
  Result<Expression> primary();
  Result<Expression> word_expression();
  Result<Expression> call(const Token& name);
  Result<Expression> case_expression();
  Result<Expression> variable();
  Result<Expression> array_literal();
  Result<Expression> object_literal();
  Result<void> dotted(std::vector<std::string>& names);

  [[nodiscard]] bool value_keyword() const;
  [[nodiscard]] std::unexpected<Error> expected(std::string_view what) const;
  [[nodiscard]] std::unexpected<Error> refuse(std::uint32_t at, std::string_view what) const;
  Result<void> take(Token::Kind kind, std::string_view what);
  /// Refuses in the strict dialect.
  [[nodiscard]] Result<void> extension(std::uint32_t at, std::string_view what) const;
  void advance();

  std::string_view text_;
  Dialect dialect_;
  Lexer lexer_;
  Token token_;
  Token following_;
  int depth_ = 0;
};

}  // namespace millrace::sql
