// Lexer: a rule statement as tokens. Pure; views point into the statement.
//
// Words are [A-Za-z_][A-Za-z0-9_]*; keywords are recognised by the parser, in any case. Strings stand in single or
// double quotes, a doubled quote inside stands for one; there are no backslash escapes. Comments, where the dialect has
// them, are /* */ and, behind a blank or at the start of a line, "-- " to the end of the line.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sql/version.h"

namespace millrace::sql {

struct Token {
  enum class Kind : std::uint8_t {
    end,
    word,
    number,
    string,
    star,
    comma,
    dot,
    open_paren,
    close_paren,
    open_bracket,
    close_bracket,
    open_brace,
    close_brace,
    colon,
    plus,
    minus,
    slash,
    percent,
    equal,
    not_equal,
    less,
    less_equal,
    greater,
    greater_equal,
    variable,
    invalid,
    unterminated,
  };
  Kind kind = Kind::end;
  std::string_view text;  // as written; strings without their quotes
  char quote = 0;         // strings: the quote they stand in
  bool doubled = false;   // strings: a doubled quote is inside
  std::uint32_t at = 0;   // byte of the statement where it starts

  [[nodiscard]] bool is(Kind other) const { return kind == other; }
  /// A word equal to `upper` (given in capitals) in any case.
  [[nodiscard]] bool is_word(std::string_view upper) const;
  /// A word that ends an expression or starts a clause; a payload member of this name is reached with get(*, "name").
  [[nodiscard]] bool is_reserved() const;
  /// The characters of a string, doubled quotes made single; the text of anything else.
  [[nodiscard]] std::string characters() const;
};

class Lexer {
 public:
  explicit Lexer(std::string_view statement, Dialect dialect = Dialect::extended)
      : text_(statement), comments_(dialect == Dialect::extended) {}
  Token next();

 private:
  Token make(Token::Kind kind, std::size_t from, std::size_t size);
  Token string_token(char quote);
  Token number_token();
  /// Behind blanks and comments. False: a comment has no end.
  bool skip_blanks();

  std::string_view text_;
  std::size_t at_ = 0;
  bool comments_;
};

/// ASCII only.
bool equals_ignoring_case(std::string_view a, std::string_view b);

}  // namespace millrace::sql
