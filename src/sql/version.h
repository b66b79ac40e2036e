// The language versions a rule may ask for (awsIotSqlVersion), and whether extensions to AWS's language are allowed.
#pragma once

#include <cstdint>

namespace millrace::sql {

enum class Version : std::uint8_t { v2015_10_08, v2016_03_23 };

/// strict refuses, by name, what AWS IoT's language reference does not have: IN, LIKE, BETWEEN, IS NULL, searched CASE,
/// several filters in FROM, comments and FOREACH.
enum class Dialect : std::uint8_t { extended, strict };

struct Options {
  Version version = Version::v2016_03_23;
  Dialect dialect = Dialect::extended;
  /// What / does with two Ints. AWS's operator table says Int, its newest published example (215/9 = 23.89) says
  /// Decimal.
  bool integer_division = false;
  /// Templates: what is Undefined or Null is the empty text, as at AWS; otherwise it does not resolve.
  bool empty_templates = false;
};

}  // namespace millrace::sql
