// Spelling: the known word that a mistyped one is nearest to, for error messages ("did you mean ...?").
#pragma once

#include <span>
#include <string_view>

namespace millrace::sql {

/// Ignores case. Empty when no candidate is near: at most two edits, or a third of the word's length.
std::string_view nearest_word(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace millrace::sql
