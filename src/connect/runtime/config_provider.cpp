#include "connect/runtime/config_provider.h"

namespace millrace::connect {
namespace {

constexpr std::size_t kMaxFile = 1_MiB;

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && static_cast<unsigned char>(text.front()) <= ' ') text.remove_prefix(1);
  while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ') text.remove_suffix(1);
  return text;
}

Result<std::string> read(const Surroundings& surroundings, std::string_view path) {
  if (surroundings.files == nullptr || !path.starts_with('/')) {
    return fail(ErrorCode::not_found, "config provider: not an absolute path", std::string(path));
  }
  return io::read_file(*surroundings.files, path.substr(1), kMaxFile);
}

/// nullopt: no provider of this alias.
std::optional<Result<std::string>> look_up(std::string_view reference, const Surroundings& surroundings) {
  const auto colon = reference.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view alias = reference.substr(0, colon);
  const std::string_view rest = reference.substr(colon + 1);
  const auto last = rest.rfind(':');
  const std::string_view key = last == std::string_view::npos ? rest : rest.substr(last + 1);
  const std::string_view path = last == std::string_view::npos ? std::string_view() : rest.substr(0, last);
  const auto missing = [&] {
    return std::unexpected<Error>(
        {ErrorCode::not_found, "a config provider has no such value", std::string(reference)});
  };
  if (alias == "env") {
    auto value = surroundings.variable(key);
    if (!value) return missing();
    return *value;
  }
  if (alias == "file") {
    auto file = read(surroundings, path);
    if (!file) return std::unexpected<Error>(file.error());
    auto value = property(*file, key);
    if (!value) return missing();
    return *value;
  }
  if (alias == "directory") {
    if (key.empty() || key.find('/') != std::string_view::npos || key.starts_with('.')) return missing();
    return read(surroundings, std::string(path) + "/" + std::string(key));
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> property(std::string_view file, std::string_view key) {
  std::optional<std::string> found;
  while (!file.empty()) {
    const auto end = file.find('\n');
    const std::string_view line = trimmed(file.substr(0, end));
    file = end == std::string_view::npos ? std::string_view() : file.substr(end + 1);
    if (line.starts_with('#') || line.starts_with('!')) continue;
    const auto separator = line.find_first_of("=:");
    if (separator == std::string_view::npos || trimmed(line.substr(0, separator)) != key) continue;
    std::string value;
    const std::string_view raw = trimmed(line.substr(separator + 1));
    for (std::size_t i = 0; i < raw.size(); ++i) {
      if (raw[i] != '\\' || i + 1 == raw.size()) {
        value += raw[i];
        continue;
      }
      ++i;
      value += raw[i] == 'n' ? '\n' : raw[i] == 't' ? '\t' : raw[i];
    }
    found = std::move(value);  // the last one counts
  }
  return found;
}

Result<ConnectorConfig> resolve(const ConnectorConfig& config, const Surroundings& surroundings, SecretMask* mask) {
  ConnectorConfig resolved;
  for (const auto& [key, value] : config) {
    std::string out;
    std::string_view rest = value;
    while (true) {
      const auto begin = rest.find("${");
      const auto end = begin == std::string_view::npos ? begin : rest.find('}', begin);
      if (end == std::string_view::npos) break;
      out += rest.substr(0, begin);
      const std::string_view reference = rest.substr(begin + 2, end - begin - 2);
      auto found = look_up(reference, surroundings);
      if (found && !*found) {
        Error error = std::move(*found).error();
        error.detail = key + ": " + error.detail;
        return std::unexpected<Error>(std::move(error));
      }
      if (found && mask != nullptr) mask->add(**found, std::string(rest.substr(begin, end - begin + 1)));
      out += found ? **found : std::string(rest.substr(begin, end - begin + 1));
      rest.remove_prefix(end + 1);
    }
    out += rest;
    resolved.emplace(key, std::move(out));
  }
  return resolved;
}

}  // namespace millrace::connect
