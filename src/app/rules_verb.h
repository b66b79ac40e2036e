// The parts of `millrace rules`: trying rules offline, and asking a running server about its own.
#pragma once

#include <string>

#include "app/options.h"
#include "app/verb.h"
#include "base/result.h"

namespace millrace::app {

/// `millrace rules test`; the arguments behind it.
int rule_trial_main(Arguments arguments);

/// `millrace rules tables|functions|descriptors ...`
bool is_reference_kind(std::string_view word);
/// Requires that the first word is one.
Result<void> run_reference_verb(const Options& options);

/// A file's bytes; "-" is standard input. Error: not_found.
Result<std::string> content_of(const std::string& file);

}  // namespace millrace::app
