// The parts of `millrace rules`: trying rules offline, and asking a running server about its own.
#pragma once

#include "app/verb.h"

namespace millrace::app {

/// `millrace rules test`; the arguments behind it.
int rule_trial_main(Arguments arguments);

}  // namespace millrace::app
