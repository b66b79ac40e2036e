// The rows of the Elasticsearch sink's settings.
#pragma once

#include "connect/settings/config_key.h"

namespace millrace::connect::elasticsearch {

ConfigRows rows();

}  // namespace millrace::connect::elasticsearch
