// ReplayScript: what a recorded file says, as a fleet of devices: which device sends which row when.
//
// Rows of one device keep the order of the file, also when their times step back (real late data); a row is due at the
// largest time its device has shown so far in that file. Rows of one device in several files are merged by time. Times
// are relative to the first row of all. Messages are built from the file's text when they are sent, so a script costs
// the file plus 24 bytes per row.
//
//   {"device_no":"2228","type":"log","timestamp":"2016-11-24T00:00:51Z","speed":9,…,"replay_run":"k3","replay_seq":1}
//
// `replay_run` and `replay_seq` (from 1 per device) let a reader check that every message is there once and in order.
// Thread: one owner.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/buffer.h"
#include "base/result.h"
#include "load/delimited_text.h"

namespace millrace::load {

/// How rows become messages. In `device`, `topic` and the constants {file} is the file's name without endings, {dir}
/// its folder's.
struct ReplayMapping {
  std::string key;     // column that names the device
  std::string device;  // template, when no column does: "{dir}-{file}"
  std::string time;    // column; empty: rows have no time
  std::string topic = "report";
  std::vector<std::pair<std::string, std::string>> constants = {{"type", "log"}};
  std::vector<std::string> text_columns;  // stay strings even when they look like numbers
  bool marks = true;                      // add replay_run and replay_seq
};

/// A mapping for known data; `header` recognises it.
struct ReplayPreset {
  std::string_view name;
  std::string_view what;
  std::string_view header;  // how the header of its files begins
  std::string_view key, device, time;
  std::vector<std::string_view> text_columns;
  std::vector<std::pair<std::string_view, std::string_view>> constants;
};
[[nodiscard]] const std::vector<ReplayPreset>& replay_presets();
[[nodiscard]] const ReplayPreset* find_preset(std::string_view name);
/// Fills what `mapping` leaves empty. Constants and text columns are added.
void apply_preset(const ReplayPreset& preset, ReplayMapping& mapping);

class ReplayScript {
 public:
  struct Event {
    std::uint32_t file;
    std::uint32_t row;
    std::int64_t due_ms;  // since the first event of the script
  };
  struct Device {
    std::string name;
    std::vector<Event> events;
  };

  /// Reads `paths`; a folder stands for all its .csv and .csv.gz files. `limit` rows in all, 0: all. An empty mapping
  /// is completed by the preset whose header fits (`recognised` names it). Errors: not_found, malformed,
  /// invalid_argument (an unknown column).
  static Result<ReplayScript> load(const std::vector<std::string>& paths, ReplayMapping mapping, std::string run,
                                   std::uint64_t limit);

  [[nodiscard]] const std::vector<Device>& devices() const { return devices_; }
  [[nodiscard]] std::uint64_t events() const { return events_; }
  [[nodiscard]] std::int64_t span_ms() const { return span_ms_; }
  [[nodiscard]] const std::string& recognised() const { return recognised_; }
  [[nodiscard]] const std::string& run() const { return run_; }
  [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }

  /// Topic of the file's messages.
  [[nodiscard]] std::string_view topic(const Event& event) const { return files_[event.file].topic; }
  /// Appends the message of the device's event number `index` (from 0).
  void write_message(const Device& device, std::size_t index, Buffer& out);

 private:
  struct File {
    DelimitedText text;
    std::string name;
    std::string topic;
    std::string head;                  // ,"type":"log" - the constants, the same for every row
    std::vector<std::string> members;  // ,"column": - empty: left out
    std::vector<bool> as_text;
    std::size_t key_column;
  };
  Result<void> add_file(const std::string& path, ReplayMapping mapping, std::uint64_t limit);

  std::vector<File> files_;
  std::vector<Device> devices_;
  std::string run_;
  std::string recognised_;
  std::vector<std::string> notes_;
  std::uint64_t events_ = 0;
  std::int64_t span_ms_ = 0;
  bool marks_ = true;
  Row row_;
};

/// `text` as JSON value: a number that JSON allows stays one (digit for digit), true and false too, empty is null, the
/// rest is a string.
void append_json_value(Buffer& out, const Cell& cell, bool as_text);

}  // namespace millrace::load
