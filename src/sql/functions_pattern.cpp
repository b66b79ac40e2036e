// Regular expressions, in RE2's syntax: time grows with the text and never explodes. A constant expression is compiled
// with the rule, and refused with it when it is wrong; one that comes from the payload is compiled per message.
#include <re2/re2.h>

#include <array>
#include <optional>

#include "sql/evaluation.h"
#include "sql/function.h"

namespace millrace::sql {

namespace {

constexpr std::size_t kMaxExpression = 8192;
constexpr int kMemory = 1 << 20;
/// Instructions of an expression whose automaton surely fits.
constexpr std::size_t kSmall = 24;
/// Compiling an expression, in steps of fuel.
constexpr std::size_t kCompiling = 5'000;

RE2::Options options() {
  RE2::Options out;
  out.set_log_errors(false);
  out.set_max_mem(kMemory);
  return out;
}

re2::StringPiece piece(std::string_view text) {
  return {text.data(), text.size()};
}

struct PreparedExpression final : Prepared {
  explicit PreparedExpression(std::string_view text) : expression(piece(text), options()) {}
  RE2 expression;
};

std::shared_ptr<const Prepared> prepare(std::span<const std::optional<Value>> constants, std::string& problem) {
  if (constants.size() < 2 || !constants[1] || !constants[1]->is_string()) return nullptr;
  const std::string_view text = constants[1]->source();
  auto out = std::make_shared<PreparedExpression>(text.substr(0, kMaxExpression));
  if (text.size() > kMaxExpression) {
    problem = "the regular expression is longer than 8192 characters";
  } else if (!out->expression.ok()) {
    problem = "the regular expression is not valid here (RE2's syntax): " + out->expression.error();
  }
  return out;
}

/// The text and the expression of one call.
class Matching {
 public:
  Matching(Evaluation& evaluation, const Call& call) : evaluation_(evaluation) {
    const auto text = to_text(evaluation.arena(), call.arguments[0]);
    if (!text) return;
    text_ = *text;
    if (call.prepared != nullptr) {
      expression_ = &static_cast<const PreparedExpression&>(*call.prepared).expression;
    } else {
      const auto source = to_text(evaluation.arena(), call.arguments[1]);
      if (!source || source->size() > kMaxExpression || !evaluation.spend(kCompiling + source->size() * 100)) return;
      own_.emplace(piece(*source), options());
      if (own_->ok()) expression_ = &*own_;
    }
  }
  [[nodiscard]] bool ok() const { return expression_ != nullptr; }
  [[nodiscard]] std::string_view text() const { return text_; }
  [[nodiscard]] int groups() const { return expression_->NumberOfCapturingGroups(); }

  /// The next match at or behind `from`; pieces[0] is all of it. False: none, or no fuel.
  bool find(std::size_t from, re2::StringPiece* pieces, int count) {
    const std::size_t rest = text_.size() - from;
    const auto size = static_cast<std::size_t>(expression_->ProgramSize());
    // The automaton of a small expression fits in kMemory and takes about a nanosecond per byte. That of a larger one
    // may not; then every byte takes time by the expression's size, as the groups of a match always do.
    if (!evaluation_.spend(10 + (size <= kSmall ? rest / 6 : rest * size / 4))) return false;
    if (!expression_->Match(piece(text_), from, text_.size(), RE2::UNANCHORED, pieces, count)) return false;
    return count < 2 || evaluation_.spend(pieces[0].size() * size / 4);
  }

 private:
  Evaluation& evaluation_;
  std::string_view text_;
  const RE2* expression_ = nullptr;
  std::optional<RE2> own_;
};

Value matches(Evaluation& evaluation, const Call& call) {
  Matching matching(evaluation, call);
  if (!matching.ok()) return {};
  const bool found = matching.find(0, nullptr, 0);
  return evaluation.exhausted() ? Value() : Value::boolean(found);
}

Value substring_of(Evaluation& evaluation, const Call& call) {
  Matching matching(evaluation, call);
  if (!matching.ok()) return {};
  re2::StringPiece found;
  if (!matching.find(0, &found, 1)) return {};
  return Value::string({found.data(), found.size()});
}

constexpr int kMostGroups = 32;

/// The parts of a replacement: text, and $n for what group n matched. A backslash makes the next character plain.
struct Replacement {
  struct Part {
    std::string_view text;
    int group = -1;
  };
  std::vector<Part> parts;
  int highest = 0;

  /// False: a $ that names no group.
  bool read(std::string_view text, int groups) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\\') {
        if (++i == text.size()) return false;
      } else if (text[i] == '$') {
        if (!read_group(text, i, groups)) return false;
        continue;
      }
      parts.push_back({text.substr(i, 1), -1});
    }
    return true;
  }

 private:
  static bool is_digit(std::string_view text, std::size_t i) {
    return i < text.size() && text[i] >= '0' && text[i] <= '9';
  }
  /// As many digits as still name a group. Leaves `i` at the last of them.
  bool read_group(std::string_view text, std::size_t& i, int groups) {
    if (!is_digit(text, i + 1)) return false;
    int group = text[++i] - '0';
    if (group > groups || group >= kMostGroups) return false;
    while (is_digit(text, i + 1) && group * 10 + (text[i + 1] - '0') <= std::min(groups, kMostGroups - 1)) {
      group = group * 10 + (text[++i] - '0');
    }
    parts.push_back({{}, group});
    highest = std::max(highest, group);
    return true;
  }
};

Value replace(Evaluation& evaluation, const Call& call) {
  Matching matching(evaluation, call);
  const auto with = to_text(evaluation.arena(), call.arguments[2]);
  if (!matching.ok() || !with || !evaluation.spend(with->size())) return {};
  Replacement replacement;
  if (!replacement.read(*with, matching.groups())) return {};
  const std::string_view text = matching.text();
  TextWriter out(evaluation.arena(), text.size() + with->size());
  std::array<re2::StringPiece, kMostGroups> pieces;
  std::size_t copied = 0;
  std::size_t from = 0;
  std::size_t paid = 0;
  while (from <= text.size() && matching.find(from, pieces.data(), replacement.highest + 1)) {
    const auto at = static_cast<std::size_t>(pieces[0].data() - text.data());
    out.append(text.substr(copied, at - copied));
    for (const Replacement::Part& part : replacement.parts) {
      const re2::StringPiece& group = pieces[static_cast<std::size_t>(std::max(part.group, 0))];
      out.append(part.group < 0 ? part.text : std::string_view(group.data(), group.size()));
    }
    copied = at + pieces[0].size();
    from = copied;
    if (pieces[0].empty()) {
      // Behind an empty match the next one starts a character later.
      ++from;
      while (from < text.size() && (static_cast<unsigned char>(text[from]) & 0xC0U) == 0x80U) ++from;
    }
    const std::size_t made = out.size() - paid;
    paid = out.size();
    if (out.overflowed() || !evaluation.spend(made / Evaluation::kBytesPerStep)) return {};
  }
  if (evaluation.exhausted()) return {};
  out.append(text.substr(copied));
  return Value::string(out.finish());
}

constexpr std::array kFunctions = {
    Function{.name = "regexp_matches", .min_arguments = 2, .max_arguments = 2, .call = matches, .prepare = prepare},
    Function{.name = "regexp_substr", .min_arguments = 2, .max_arguments = 2, .call = substring_of, .prepare = prepare},
    Function{.name = "regexp_replace", .min_arguments = 3, .max_arguments = 3, .call = replace, .prepare = prepare},
};

}  // namespace

std::span<const Function> pattern_functions() {
  return kFunctions;
}

}  // namespace millrace::sql
