#include "load/replay_script.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <tuple>
#include <unordered_map>

#include "load/report.h"
#include "load/time_text.h"

namespace millrace::load {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kNoColumn = std::numeric_limits<std::size_t>::max();

bool digit(char c) {
  return c >= '0' && c <= '9';
}

/// RFC 8259, section 6: -? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?
bool is_json_number(std::string_view text) {
  std::size_t at = text.starts_with('-') ? 1 : 0;
  const auto digits = [&] {
    const std::size_t from = at;
    while (at < text.size() && digit(text[at])) ++at;
    return at - from;
  };
  const std::size_t first = at;
  const std::size_t whole = digits();
  if (whole == 0 || (whole > 1 && text[first] == '0')) return false;
  if (at < text.size() && text[at] == '.') {
    ++at;
    if (digits() == 0) return false;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    if (digits() == 0) return false;
  }
  return at == text.size();
}

std::string with_names(std::string text, const fs::path& path) {
  std::string stem = path.filename().string();
  stem.resize(std::min(stem.find('.'), stem.size()));
  const std::string folder = path.has_parent_path() ? path.parent_path().filename().string() : std::string("data");
  const std::pair<std::string_view, std::string_view> names[] = {{"{file}", stem}, {"{dir}", folder}};
  for (const auto& [name, value] : names) {
    for (std::size_t at = text.find(name); at != std::string::npos; at = text.find(name, at + value.size())) {
      text.replace(at, name.size(), value);
    }
  }
  return text;
}

Result<std::vector<std::string>> expand(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    std::error_code code;
    if (!fs::is_directory(path, code)) {
      files.push_back(path);
      continue;
    }
    std::vector<std::string> found;
    for (const auto& entry : fs::recursive_directory_iterator(path, code)) {
      const std::string name = entry.path().string();
      if (entry.is_regular_file(code) && (name.ends_with(".csv") || name.ends_with(".csv.gz"))) found.push_back(name);
    }
    if (found.empty()) return fail(ErrorCode::not_found, "no .csv or .csv.gz file in the folder", path);
    std::ranges::sort(found);
    files.insert(files.end(), found.begin(), found.end());
  }
  return files;
}

std::string joined(const std::vector<std::string>& names) {
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

const std::vector<ReplayPreset>& replay_presets() {
  static const std::vector<ReplayPreset> kPresets = {
      {"bus-fleet",
       "positions of a city's buses, one device per vehicle",
       "vehicle_id,timestamp",
       "vehicle_id",
       "",
       "timestamp",
       {"route_id", "trip_id"},
       {}},
      {"car-can",
       "a car's CAN bus, GNSS and inertial signals, one device; `signal` is the file",
       "t,",
       "",
       "car-1",
       "t",
       {"can_id", "data_hex"},
       {{"signal", "{file}"}}},
      {"nab", "NAB time series, one device per series", "timestamp,value", "", "{file}", "timestamp", {}, {}},
      {"skab",
       "SKAB water-pump test bed, one device per experiment",
       "datetime;",
       "",
       "{dir}-{file}",
       "datetime",
       {},
       {}},
  };
  return kPresets;
}

const ReplayPreset* find_preset(std::string_view name) {
  const auto found = std::ranges::find(replay_presets(), name, &ReplayPreset::name);
  return found == replay_presets().end() ? nullptr : &*found;
}

void apply_preset(const ReplayPreset& preset, ReplayMapping& mapping) {
  if (mapping.key.empty() && mapping.device.empty()) {
    mapping.key = preset.key;
    mapping.device = preset.device;
  }
  if (mapping.time.empty()) mapping.time = preset.time;
  for (const std::string_view column : preset.text_columns) mapping.text_columns.emplace_back(column);
  for (const auto& [name, value] : preset.constants) {
    if (std::ranges::find(mapping.constants, name, &std::pair<std::string, std::string>::first) ==
        mapping.constants.end()) {
      mapping.constants.emplace_back(name, value);
    }
  }
}

void append_json_value(Buffer& out, const Cell& cell, bool as_text) {
  if (cell.text.empty() && !cell.quoted) return out.append("null");
  if (!as_text && !cell.quoted && (is_json_number(cell.text) || cell.text == "true" || cell.text == "false")) {
    return out.append(cell.text);
  }
  const bool plain = std::ranges::none_of(
      cell.text, [](char c) { return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20; });
  if (!plain) return out.append(json_quoted(cell.text));
  out.append("\"");
  out.append(cell.text);
  out.append("\"");
}

Result<ReplayScript> ReplayScript::load(const std::vector<std::string>& paths, ReplayMapping mapping, std::string run,
                                        std::uint64_t limit) {
  ReplayScript script;
  script.run_ = std::move(run);
  script.marks_ = mapping.marks;
  MR_TRY_ASSIGN(const std::vector<std::string> files, expand(paths));
  for (const std::string& path : files) {
    if (limit != 0 && script.events_ >= limit) break;
    MR_TRY(script.add_file(path, mapping, limit));
  }
  if (script.events_ == 0) return fail(ErrorCode::invalid_argument, "nothing to replay: no rows in", joined(files));

  std::int64_t first = std::numeric_limits<std::int64_t>::max();
  for (const Device& device : script.devices_) {
    for (const Event& event : device.events) first = std::min(first, event.due_ms);
  }
  for (Device& device : script.devices_) {
    std::int64_t latest = 0;
    std::uint32_t file = 0;
    for (Event& event : device.events) {
      latest = event.file == file ? std::max(latest, event.due_ms - first) : event.due_ms - first;
      file = event.file;
      event.due_ms = latest;
      script.span_ms_ = std::max(script.span_ms_, latest);
    }
    // Several files of one device (signals of one car) are one stream; each keeps its own order.
    std::ranges::sort(device.events, {}, [](const Event& e) { return std::tuple(e.due_ms, e.file, e.row); });
  }
  return script;
}

Result<void> ReplayScript::add_file(const std::string& path, ReplayMapping mapping, std::uint64_t limit) {
  MR_TRY_ASSIGN(DelimitedText text, DelimitedText::load(path));
  if (mapping.key.empty() && mapping.device.empty()) {
    const std::string header = fmt::format("{}", fmt::join(text.columns(), std::string(1, text.delimiter())));
    const auto fits =
        std::ranges::find_if(replay_presets(), [&](const ReplayPreset& p) { return header.starts_with(p.header); });
    if (fits == replay_presets().end()) {
      return fail(ErrorCode::invalid_argument,
                  "which column names the device? Say --key COLUMN (or --device NAME for one device)",
                  fmt::format("{} has {}", path, joined(text.columns())));
    }
    apply_preset(*fits, mapping);
    recognised_ = fits->name;
  }
  const auto column = [&](const std::string& name) -> Result<std::size_t> {
    if (name.empty()) return kNoColumn;
    const auto found = std::ranges::find(text.columns(), name);
    if (found != text.columns().end()) return static_cast<std::size_t>(found - text.columns().begin());
    return fail(ErrorCode::invalid_argument, "no such column",
                fmt::format("'{}'; {} has {}", name, path, joined(text.columns())));
  };
  MR_TRY_ASSIGN(const std::size_t key, column(mapping.key));
  MR_TRY_ASSIGN(const std::size_t time, column(mapping.time));

  File file{std::move(text), path, with_names(mapping.topic, path), "", {}, {}, key};
  for (const auto& [name, value] : mapping.constants) {
    Buffer json;
    append_json_value(json, {with_names(value, path), false}, false);
    file.head += fmt::format(",{}:{}", json_quoted(name), millrace::as_text(json.view()));
  }
  for (std::size_t i = 0; i < file.text.columns().size(); ++i) {
    const std::string& name = file.text.columns()[i];
    const bool constant = std::ranges::find(mapping.constants, name, &std::pair<std::string, std::string>::first) !=
                          mapping.constants.end();
    const bool hidden = i == key || constant || name == "device_no";
    if (constant || (name == "device_no" && i != key))
      notes_.push_back(fmt::format("column '{}' of {} is replaced", name, path));
    file.members.push_back(hidden ? "" : fmt::format(",{}:", json_quoted(name)));
    file.as_text.push_back(std::ranges::find(mapping.text_columns, name) != mapping.text_columns.end());
  }

  std::unordered_map<std::string, std::size_t> known;
  for (std::size_t i = 0; i < devices_.size(); ++i) known.emplace(devices_[i].name, i);
  const std::string fixed = with_names(mapping.device, path);
  for (std::size_t r = 0; r < file.text.rows() && (limit == 0 || events_ < limit); ++r) {
    file.text.read_row(r, row_);
    const auto cell = [&](std::size_t at) { return at < row_.cells.size() ? row_.cells[at].text : std::string_view(); };
    std::string name = key == kNoColumn ? fixed : std::string(cell(key));
    if (name.empty()) {
      return fail(ErrorCode::malformed, "a row names no device", fmt::format("{}:{}", path, file.text.line_of(r)));
    }
    std::int64_t due = 0;
    if (time != kNoColumn) {
      const Result<std::int64_t> at = parse_time_ms(cell(time));
      if (!at) {
        return fail(ErrorCode::malformed, "column of --time is not a time",
                    fmt::format("{}:{}: '{}'", path, file.text.line_of(r), cell(time)));
      }
      due = *at;
    }
    const auto [found, fresh] = known.emplace(std::move(name), devices_.size());
    if (fresh) devices_.push_back({found->first, {}});
    devices_[found->second].events.push_back(
        {static_cast<std::uint32_t>(files_.size()), static_cast<std::uint32_t>(r), due});
    ++events_;
  }
  files_.push_back(std::move(file));
  return {};
}

void ReplayScript::write_message(const Device& device, std::size_t index, Buffer& out) {
  const Event& event = device.events[index];
  const File& file = files_[event.file];
  file.text.read_row(event.row, row_);
  out.append("{\"device_no\":");
  append_json_value(out, {device.name, true}, true);
  out.append(file.head);
  const std::size_t count = std::min(file.members.size(), row_.cells.size());
  for (std::size_t i = 0; i < count; ++i) {
    if (file.members[i].empty()) continue;
    out.append(file.members[i]);
    append_json_value(out, row_.cells[i], file.as_text[i]);
  }
  if (marks_) {
    out.append(",\"replay_run\":\"");
    out.append(run_);
    char text[40];
    const auto end = fmt::format_to(text, "\",\"replay_seq\":{}", index + 1);
    out.append(std::string_view(text, static_cast<std::size_t>(end - text)));
  }
  out.append("}");
}

}  // namespace millrace::load
