// Writing documents: a Node as YAML that reads back as the same tree. Thread: any.
#pragma once

#include <string>

#include "config/node.h"

namespace millrace::config {

/// `text` as a scalar, in quotes where a document would otherwise mean something else.
std::string yaml_scalar(const std::string& text);

/// Block style, every line indented by `indent`; ends with a line feed.
std::string yaml_block(const Node& node, int indent = 0);

}  // namespace millrace::config
