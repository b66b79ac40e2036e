// Definition: one table, function or descriptor that rules may name, as it was given.
//
//   tables       vehicles:  {topic: vehicles, maxBytes: 256MiB}
//                customers: {postgres: "jdbc:postgresql://db/shop", user: u, passwordFile: /run/pw, table: customers,
//                            key: id, sortKey: year, ttl: 60s, cacheBytes: 64MiB}
//   functions    score:     {url: "http://127.0.0.1:9000/score", headers: {Authorization: "..."}, timeout: 2s,
//                            connections: 4}
//   descriptors  car:       {file: car.desc}  or  {descriptorSet: BASE64}
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "config/node.h"
#include "sql/outside.h"

namespace millrace::references {

using Kind = sql::Reference::Kind;

struct Definition {
  Kind kind = Kind::table;
  std::string name;  // 1 to 128 letters, digits, '_', '-', '.'

  // table
  std::string topic{};  // else PostgreSQL
  std::uint64_t max_bytes = std::uint64_t{256} << 20U;
  std::string postgres{};  // JDBC URL
  std::string user{};
  std::string password_file{};
  std::string table{};  // schema.table, or table
  std::string key = "id";
  std::string sort_key{};
  std::chrono::milliseconds ttl{60'000};
  std::uint64_t cache_bytes = std::uint64_t{64} << 20U;

  // function
  std::string url{};
  std::vector<std::pair<std::string, std::string>> headers{};
  std::chrono::milliseconds timeout{2'000};
  std::int64_t connections = 4;

  // descriptor
  std::string file{};            // where the configuration says it is
  std::string descriptor_set{};  // the bytes

  bool operator==(const Definition&) const = default;
};

/// Error: invalid_argument naming kind, name, key and what was expected. Reads the descriptor's file when there is one.
Result<Definition> parse_definition(Kind kind, std::string_view name, const config::Node& node);
/// As parse_definition takes it; of `shown` the values of headers are hidden.
std::string to_json(const Definition& definition, bool shown);

}  // namespace millrace::references
