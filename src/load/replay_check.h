// ReplayCheck: holds records read back from Kafka topics against the script that was played.
//
// Every message must be there; per device and topic the first copies must be in order and in one partition (the key
// decides it). Further copies are legal at-least-once duplicates as far as the replay sent the device's messages again,
// and are counted apart. Records of other runs and other writers are skipped. Thread: one owner.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "load/replay_script.h"

namespace millrace::load {

class ReplayCheck {
 public:
  /// `resent_by_device`: how many messages of each device were sent more than once; empty: none. The script must
  /// outlive this.
  ReplayCheck(const ReplayScript& script, std::vector<std::uint64_t> resent_by_device);

  /// One record of a topic, in the order of its partition. `key` empty: no key.
  void see(std::string_view topic, std::int32_t partition, std::string_view key, std::string_view value);

  struct Findings {
    std::uint64_t expected = 0;
    std::uint64_t found = 0;  // different messages
    std::uint64_t missing = 0;
    std::uint64_t out_of_order = 0;
    std::uint64_t duplicates = 0;       // copies of messages that were sent again
    std::uint64_t unexplained = 0;      // copies beyond what was sent again
    std::uint64_t moved = 0;            // devices whose records are in more than one partition of a topic
    std::uint64_t strangers = 0;        // of this run, but of no message that was played
    std::uint64_t wrong_key = 0;        // records whose key is not the device
    std::vector<std::string> examples;  // the first few, in words
    [[nodiscard]] bool good() const {
      return missing + out_of_order + unexplained + moved + strangers + wrong_key == 0;
    }
  };
  [[nodiscard]] Findings findings() const;

 private:
  struct Track {  // of a device in a topic
    std::uint64_t highest = 0;
    std::int32_t partition = -1;
    bool moved = false;
  };
  struct Device {
    std::vector<bool> seen;
    std::uint64_t copies = 0;
    std::uint64_t out_of_order = 0;
    std::map<std::string, Track, std::less<>> topics;
  };
  void example(std::string text);

  const ReplayScript& script_;
  std::vector<std::uint64_t> resent_;
  std::unordered_map<std::string_view, std::size_t> by_name_;
  std::vector<Device> devices_;
  std::string run_mark_;
  Findings found_;
};

/// Reads every partition of `topics` to its present end. Errors: those of the connection, not_found for a topic.
Result<std::uint64_t> read_topics(const std::string& host, std::int64_t port, const std::vector<std::string>& topics,
                                  ReplayCheck& check);

/// The value of a member of a JSON object in the text: unescaped characters of a string, digits of a number; empty: not
/// there.
[[nodiscard]] std::string_view find_member(std::string_view json, std::string_view name);

}  // namespace millrace::load
