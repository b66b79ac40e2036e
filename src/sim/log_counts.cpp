// Names and sums of LogRunCounts.
#include "sim/log_world.h"

namespace millrace::sim {
namespace {

using Field = std::uint64_t LogRunCounts::*;
constexpr std::pair<const char*, Field> kFields[] = {
    {"lives", &LogRunCounts::lives},
    {"power cuts", &LogRunCounts::power_cuts},
    {"process deaths", &LogRunCounts::process_deaths},
    {"clean stops", &LogRunCounts::clean_stops},
    {"failed syncs", &LogRunCounts::failed_syncs},
    {"full disks", &LogRunCounts::full_disks},
    {"commits", &LogRunCounts::commits},
    {"commits in doubt kept", &LogRunCounts::doubts_kept},
    {"commits in doubt gone", &LogRunCounts::doubts_gone},
    {"batches", &LogRunCounts::batches},
    {"duplicates", &LogRunCounts::duplicates},
    {"reads", &LogRunCounts::reads},
    {"waits", &LogRunCounts::waits},
    {"clock jumps", &LogRunCounts::clock_jumps},
    {"checkpoints", &LogRunCounts::checkpoints},
    {"compaction steps", &LogRunCounts::compaction_steps},
    {"records found compacted away", &LogRunCounts::compacted_away},
    {"retentions", &LogRunCounts::retentions},
    {"images verified", &LogRunCounts::verifications},
    {"flipped bits", &LogRunCounts::flipped_bits},
    {"of them refused by a read", &LogRunCounts::flips_refused},
};
static_assert(sizeof(LogRunCounts) == sizeof(kFields) / sizeof(kFields[0]) * sizeof(std::uint64_t));

}  // namespace

void LogRunCounts::add(const LogRunCounts& other) {
  for (const auto& [name, field] : kFields) this->*field += other.*field;
}

std::string LogRunCounts::to_string() const {
  std::string text;
  for (const auto& [name, field] : kFields) {
    if (!text.empty()) text += ", ";
    text += std::to_string(this->*field) + " " + name;
  }
  return text;
}

}  // namespace millrace::sim
