// A value as one line of JSON: what JSON-lines objects, bulk requests and HTTP bodies are made of. Thread: any.
#pragma once

#include "base/buffer.h"
#include "base/result.h"
#include "connect/runtime/sink_record.h"
#include "sql/arena.h"

namespace millrace::connect {

/// Appends the value, without the line's end: the source text, digit for digit, where that is one line already; bytes
/// as base64. `arena` is scratch.
void append_json_line(const Datum& value, sql::Arena& arena, Buffer& out);

}  // namespace millrace::connect
