// MR_ASSERT is always on and only for bugs: no input from outside can reach a failing one. It prints where and aborts.
#pragma once

namespace millrace {
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line);
}

#define MR_ASSERT(expression)                                        \
  do {                                                               \
    if (!(expression)) [[unlikely]]                                  \
      ::millrace::assertion_failed(#expression, __FILE__, __LINE__); \
  } while (false)
