// The file source: Kafka's FileStreamSourceConnector, which reads lines of a file as they are appended. Source
// partition {"filename":FILE}, source offset {"position":BYTES}.
#pragma once

#include "connect/runtime/source_class.h"

namespace millrace::connect::file {

const SourceClass& file_source_class();

}  // namespace millrace::connect::file
