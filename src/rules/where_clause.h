// WhereClause: the conditions that WHERE joins by AND, as written, for showing each of them with its value.
#pragma once

#include <string_view>
#include <vector>

namespace millrace::rules {

struct Condition {
  std::string_view text;
  std::vector<std::string_view> members;         // paths named in it; none when it holds a nested SELECT
  std::vector<std::string_view> alternatives{};  // what OR joins, when it does
};

/// Empty when `sql` has no WHERE. Requires a statement that parses.
std::vector<Condition> where_conditions(std::string_view sql);

}  // namespace millrace::rules
