// Which build this is: shown by `millrace --version`, /api/v1/version and the metric millrace_build_info.
#pragma once

#include "metrics/process.h"

namespace millrace::app {

/// Version of the project and the commit it was built from ("…-dirty" with changes that were not committed).
metrics::BuildIdentity build_identity();

}  // namespace millrace::app
