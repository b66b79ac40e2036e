// MD2 (RFC 1319): no longer in libraries, but a function of the rule language. For nothing else. Thread: any.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"

namespace millrace::sql {

[[nodiscard]] std::array<std::uint8_t, 16> md2(ByteView bytes);

}  // namespace millrace::sql
