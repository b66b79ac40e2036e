// Where a bucket's address and credentials come from: the connector's settings, then AWS's variables of the
// environment, then the shared credentials file ("Configuration and credential file settings", AWS SDKs and Tools
// Reference).
#pragma once

#include "base/result.h"
#include "connect/runtime/surroundings.h"
#include "connect/settings/settings.h"
#include "connect/sinks/s3/bucket.h"
#include "connect/sinks/s3/signature.h"

namespace millrace::connect::s3 {

BucketAddress find_address(const Settings& settings, const Surroundings& surroundings);
/// Errors: invalid_argument naming what was looked for.
Result<Credentials> find_credentials(const Settings& settings, const Surroundings& surroundings);
/// The credentials of `profile` in the text of a credentials file; empty keys when there are none.
Credentials read_profile(std::string_view file, std::string_view profile);

}  // namespace millrace::connect::s3
