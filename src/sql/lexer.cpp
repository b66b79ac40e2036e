#include "sql/lexer.h"

#include <algorithm>
#include <array>

namespace millrace::sql {

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}
bool starts_word(char c) {
  return (lower(c) >= 'a' && lower(c) <= 'z') || c == '_';
}
bool continues_word(char c) {
  return starts_word(c) || is_digit(c);
}

constexpr std::array<std::string_view, 13> kReserved = {"SELECT", "FROM", "WHERE", "AS",   "AND", "OR",  "NOT",
                                                        "CASE",   "WHEN", "THEN",  "ELSE", "END", "NULL"};

}  // namespace

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

bool Token::is_word(std::string_view upper) const {
  return kind == Kind::word && equals_ignoring_case(text, upper);
}

bool Token::is_reserved() const {
  return kind == Kind::word &&
         std::any_of(kReserved.begin(), kReserved.end(), [this](std::string_view word) { return is_word(word); });
}

std::string Token::characters() const {
  if (!doubled) return std::string(text);
  std::string single;
  for (std::size_t i = 0; i < text.size(); ++i) {
    single.push_back(text[i]);
    if (text[i] == quote) ++i;
  }
  return single;
}

Token Lexer::make(Token::Kind kind, std::size_t from, std::size_t size) {
  at_ = from + size;
  Token token;
  token.kind = kind;
  token.text = text_.substr(from, size);
  token.at = static_cast<std::uint32_t>(from);
  return token;
}

Token Lexer::string_token(char quote) {
  const std::size_t from = at_;
  bool doubled = false;
  std::size_t at = from + 1;
  while (true) {
    at = text_.find(quote, at);
    if (at == std::string_view::npos) return make(Token::Kind::unterminated, from, text_.size() - from);
    if (at + 1 >= text_.size() || text_[at + 1] != quote) break;
    doubled = true;
    at += 2;
  }
  Token token = make(Token::Kind::string, from, at + 1 - from);
  token.text = text_.substr(from + 1, at - from - 1);
  token.quote = quote;
  token.doubled = doubled;
  return token;
}

Token Lexer::number_token() {
  std::size_t at = at_;
  const auto digits = [&] {
    const std::size_t from = at;
    while (at < text_.size() && is_digit(text_[at])) ++at;
    return at != from;
  };
  digits();
  if (at + 1 < text_.size() && text_[at] == '.' && is_digit(text_[at + 1])) {
    ++at;
    digits();
  }
  if (at < text_.size() && lower(text_[at]) == 'e') {
    const std::size_t before = at++;
    if (at < text_.size() && (text_[at] == '+' || text_[at] == '-')) ++at;
    if (!digits()) at = before;
  }
  // 12abc is neither a number nor a name.
  const bool clean = at >= text_.size() || !continues_word(text_[at]);
  while (!clean && at < text_.size() && continues_word(text_[at])) ++at;
  return make(clean ? Token::Kind::number : Token::Kind::invalid, at_, at - at_);
}

bool Lexer::skip_blanks() {
  while (at_ < text_.size()) {
    const std::string_view rest = text_.substr(at_);
    if (is_blank(rest.front())) {
      ++at_;
    } else if (comments_ && rest.starts_with("--") && (rest.size() == 2 || is_blank(rest[2])) &&
               (at_ == 0 || is_blank(text_[at_ - 1]))) {
      at_ = std::min(text_.find('\n', at_), text_.size());
    } else if (comments_ && rest.starts_with("/*")) {
      const std::size_t end = text_.find("*/", at_ + 2);
      if (end == std::string_view::npos) return false;
      at_ = end + 2;
    } else {
      return true;
    }
  }
  return true;
}

Token Lexer::next() {
  using Kind = Token::Kind;
  if (!skip_blanks()) return make(Kind::unterminated, at_, text_.size() - at_);
  if (at_ >= text_.size()) return make(Kind::end, text_.size(), 0);
  const char c = text_[at_];
  const char following = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
  if (starts_word(c)) {
    std::size_t size = 1;
    while (at_ + size < text_.size() && continues_word(text_[at_ + size])) ++size;
    return make(Kind::word, at_, size);
  }
  if (is_digit(c)) return number_token();
  switch (c) {
    case '\'':
    case '"':
      return string_token(c);
    case '*':
      return make(Kind::star, at_, 1);
    case ',':
      return make(Kind::comma, at_, 1);
    case '.':
      return make(Kind::dot, at_, 1);
    case '(':
      return make(Kind::open_paren, at_, 1);
    case ')':
      return make(Kind::close_paren, at_, 1);
    case '[':
      return make(Kind::open_bracket, at_, 1);
    case ']':
      return make(Kind::close_bracket, at_, 1);
    case '{':
      return make(Kind::open_brace, at_, 1);
    case '}':
      return make(Kind::close_brace, at_, 1);
    case ':':
      return make(Kind::colon, at_, 1);
    case '+':
      return make(Kind::plus, at_, 1);
    case '-':
      return make(Kind::minus, at_, 1);
    case '/':
      return following == '*' ? make(Kind::invalid, at_, 2) : make(Kind::slash, at_, 1);
    case '%':
      return make(Kind::percent, at_, 1);
    case '=':
      return make(Kind::equal, at_, following == '=' ? 2 : 1);
    case '!':
      return following == '=' ? make(Kind::not_equal, at_, 2) : make(Kind::invalid, at_, 1);
    case '<':
      if (following == '>') return make(Kind::not_equal, at_, 2);
      return following == '=' ? make(Kind::less_equal, at_, 2) : make(Kind::less, at_, 1);
    case '>':
      return following == '=' ? make(Kind::greater_equal, at_, 2) : make(Kind::greater, at_, 1);
    case '@': {
      std::size_t size = 1;
      while (at_ + size < text_.size() && continues_word(text_[at_ + size])) ++size;
      return make(Kind::variable, at_, size);
    }
    default: {
      // A whole character, so that an error can print it.
      std::size_t size = 1;
      while (at_ + size < text_.size() && (static_cast<unsigned char>(text_[at_ + size]) & 0xC0U) == 0x80U) ++size;
      return make(Kind::invalid, at_, size);
    }
  }
}

}  // namespace millrace::sql
