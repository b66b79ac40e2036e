// Any bytes as a statement: refused with a position, or compiled; never more depth than the parser allows.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "sql/statement.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace::sql;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Paths paths;
  Program whole(Options{}, paths);
  const auto statement = Statement::compile(text, whole);
  if (!statement && statement.error().detail.empty()) std::abort();
  const auto expression = parse_expression(text);
  if (expression) {
    Program program(Options{}, paths);
    (void)program.compile(*expression, text);
  }
  return 0;
}
