#include "config/setting.h"

#include "config/quantity.h"
#include "config/yaml_writer.h"

namespace millrace::config {
namespace {

std::optional<std::int64_t> number_in(const Setting::Slot& slot) {
  if (auto* const* value = std::get_if<std::int32_t*>(&slot)) return **value;
  if (auto* const* value = std::get_if<std::int64_t*>(&slot)) return **value;
  if (auto* const* value = std::get_if<std::uint64_t*>(&slot)) return static_cast<std::int64_t>(**value);
  if (auto* const* value = std::get_if<std::optional<std::int64_t>*>(&slot)) return **value;
  if (auto* const* value = std::get_if<std::chrono::milliseconds*>(&slot)) return (*value)->count();
  return std::nullopt;
}

}  // namespace

std::string unknown_key(std::string_view key, const std::vector<std::string>& known) {
  std::string text = "'" + std::string(key) + "' is not a known key";
  const std::string near = nearest(key, known);
  if (!near.empty()) return text + ", did you mean '" + near + "'?";
  // A right last word behind a wrong first one ("admin.port") is usual; what has that word is more help than nothing.
  const std::string_view last = key.substr(key.rfind('.') + 1);
  std::string alike;
  for (const std::string& candidate : known) {
    if (candidate.size() > last.size() && candidate.ends_with(last) &&
        candidate[candidate.size() - last.size() - 1] == '.')
      alike += (alike.empty() ? "" : ", ") + candidate;
  }
  if (!alike.empty()) text += "; there are " + alike;
  return text;
}

std::string print_value(const Setting& setting, const void* settings) {
  if (setting.secret) return "(hidden)";
  if (setting.kind == Kind::custom) return setting.print(settings);
  // The slot is only read here; rows have one accessor for reading and writing.
  const Setting::Slot slot = setting.slot(const_cast<void*>(settings));
  if (auto* const* value = std::get_if<bool*>(&slot)) return **value ? "true" : "false";
  if (auto* const* value = std::get_if<std::string*>(&slot)) return yaml_scalar(**value);
  const auto number = number_in(slot);
  if (!number) return "";
  switch (setting.kind) {
    case Kind::bytes:
      return format_size(*number);
    case Kind::duration:
      return format_duration_ms(*number);
    default:
      return std::to_string(*number);
  }
}

std::string plain_value(const Setting& setting, const void* settings) {
  if (setting.secret || setting.kind == Kind::custom) return print_value(setting, settings);
  const Setting::Slot slot = setting.slot(const_cast<void*>(settings));
  if (auto* const* value = std::get_if<std::string*>(&slot)) return **value;
  if (const auto number = number_in(slot)) return std::to_string(*number);
  return print_value(setting, settings);
}

}  // namespace millrace::config
