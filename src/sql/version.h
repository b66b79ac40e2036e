// The language versions a rule may ask for (awsIotSqlVersion).
#pragma once

#include <cstdint>

namespace millrace::sql {

enum class Version : std::uint8_t { v2015_10_08, v2016_03_23 };

struct Options {
  Version version = Version::v2016_03_23;
  /// What / does with two Ints. AWS's operator table says Int, its newest published example (215/9 = 23.89) says
  /// Decimal.
  bool integer_division = false;
};

}  // namespace millrace::sql
