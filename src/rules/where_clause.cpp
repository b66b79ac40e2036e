#include "rules/where_clause.h"

#include <algorithm>
#include <array>
#include <utility>

#include "sql/lexer.h"

namespace millrace::rules {

namespace {

using Kind = sql::Token::Kind;

constexpr std::array<std::string_view, 7> kWords = {"IN", "LIKE", "BETWEEN", "IS", "TRUE", "FALSE", "SET"};

/// Follows brackets and CASE ... END.
class Nesting {
 public:
  void see(const sql::Token& token, bool behind_dot) {
    switch (token.kind) {
      case Kind::open_paren:
      case Kind::open_bracket:
      case Kind::open_brace:
        ++depth_;
        break;
      case Kind::close_paren:
      case Kind::close_bracket:
      case Kind::close_brace:
        --depth_;
        break;
      case Kind::word:
        if (behind_dot) break;
        if (token.is_word("CASE")) ++depth_;
        if (token.is_word("END")) --depth_;
        break;
      default:
        break;
    }
  }
  [[nodiscard]] bool outermost() const { return depth_ == 0; }

 private:
  int depth_ = 0;
};

std::size_t where_at(std::string_view sql) {
  sql::Lexer lexer(sql);
  Nesting nesting;
  bool behind_dot = false;
  for (sql::Token token = lexer.next(); !token.is(Kind::end); token = lexer.next()) {
    nesting.see(token, behind_dot);
    if (nesting.outermost() && !behind_dot && token.is_word("WHERE")) return token.at + token.text.size();
    behind_dot = token.is(Kind::dot);
  }
  return std::string_view::npos;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

/// The paths of a condition, each once.
std::vector<std::string_view> members_of(std::string_view text) {
  std::vector<std::string_view> out;
  sql::Lexer lexer(text);
  sql::Token token = lexer.next();
  bool type_follows = false;  // cast(x AS type)
  while (!token.is(Kind::end)) {
    if (token.is_word("SELECT")) return {};
    const bool plain = token.is(Kind::word) && !type_follows && !token.is_reserved() &&
                       std::none_of(kWords.begin(), kWords.end(), [&](auto word) { return token.is_word(word); });
    type_follows = token.is_word("AS");
    const bool behind_value = token.is(Kind::close_paren) || token.is(Kind::variable);
    std::size_t end = token.at + token.text.size();
    const std::size_t begin = token.at;
    token = lexer.next();
    if (!plain && !behind_value) continue;
    const bool call = token.is(Kind::open_paren);
    while (token.is(Kind::dot)) {
      token = lexer.next();
      end = token.at + token.text.size();
      token = lexer.next();
    }
    const std::string_view path = text.substr(begin, end - begin);
    if (plain && !call && std::find(out.begin(), out.end(), path) == out.end()) out.push_back(path);
  }
  return out;
}

}  // namespace

std::vector<Condition> where_conditions(std::string_view sql) {
  const std::size_t at = where_at(sql);
  if (at == std::string_view::npos) return {};
  const std::string_view clause = sql.substr(at);
  std::vector<std::string_view> parts;
  sql::Lexer lexer(clause);
  Nesting nesting;
  std::size_t begin = 0;
  std::size_t end = 0;
  bool between = false;  // its AND joins bounds, not conditions
  std::vector<std::string_view> alternatives;
  std::size_t alternative = 0;
  bool behind_dot = false;
  for (sql::Token token = lexer.next(); !token.is(Kind::end); token = lexer.next()) {
    nesting.see(token, behind_dot);
    const bool outer_word = nesting.outermost() && !behind_dot && token.is(Kind::word);
    if (outer_word && token.is_word("BETWEEN")) between = true;
    if (outer_word && token.is_word("OR")) {
      alternatives.push_back(trimmed(clause.substr(alternative, token.at - alternative)));
      alternative = token.at + token.text.size();
    }
    if (outer_word && token.is_word("AND") && !std::exchange(between, false)) {
      parts.push_back(trimmed(clause.substr(begin, token.at - begin)));
      begin = token.at + token.text.size();
    }
    behind_dot = token.is(Kind::dot);
    end = token.at + token.text.size() + (token.is(Kind::string) ? 2 : 0);
  }
  parts.push_back(trimmed(clause.substr(begin, end - begin)));
  std::vector<Condition> out;
  if (!alternatives.empty()) {
    alternatives.push_back(trimmed(clause.substr(alternative, end - alternative)));
    const std::string_view whole = trimmed(clause.substr(0, end));
    out.push_back({whole, members_of(whole), std::move(alternatives)});
    return out;
  }
  for (const std::string_view part : parts) out.push_back({part, members_of(part)});
  return out;
}

}  // namespace millrace::rules
