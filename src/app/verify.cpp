// millrace verify: checks a data directory offline, read-only. Exit status 0 only when nothing is damaged.
#include <fmt/format.h>

#include "app/options.h"
#include "app/verb.h"
#include "io/posix_file_system.h"
#include "storage/verify.h"

namespace millrace::app {
namespace {

constexpr OptionRow kOptions[] = {
    {"--deep", "", "also every batch's checksum and every record's form"},
};

void print_report(const storage::VerifyReport& report, bool deep) {
  for (const storage::Damage& damage : report.damage) {
    fmt::print("DAMAGED {} at byte {}: {}\n", damage.file, damage.position, damage.what);
  }
  for (const std::string& remark : report.remarks) fmt::print("note: {}\n", remark);
  fmt::print("{}: {} partitions, {} segments, {} batches, {}{} journal groups, {} bytes\n",
             report.good() ? "good" : fmt::format("{} places damaged", report.damage.size()), report.partitions,
             report.segments, report.batches, deep ? fmt::format("{} records, ", report.records) : "",
             report.journal_groups, report.bytes);
}

}  // namespace

int verify_main(Arguments arguments) {
  const Result<Options> options = parse_options(arguments, kOptions);
  if (options && options->has("--help")) {
    fmt::print(
        "usage: millrace verify DIR [--deep]\n\n{}\n"
        "Reads only. The server must not be running on DIR. Exit status: 0 good, 1 damaged, 2 could not be checked.\n",
        help_lines(kOptions));
    return kExitOk;
  }
  if (!options || options->rest.size() != 1) {
    fmt::print(stderr, "millrace verify: {}\n", options ? "needs one data directory" : options.error().message());
    return kExitUsage;
  }
  constexpr int kNotChecked = 2;
  const std::string& directory = options->rest.front();
  auto files = io::PosixFileSystem::open(directory);
  if (!files) {
    fmt::print(stderr, "millrace verify: {}\n", files.error().message());
    return kNotChecked;
  }
  const bool deep = options->has("--deep");
  const auto report = storage::verify_directory(**files, {.deep = deep});
  if (!report) {
    fmt::print(stderr, "millrace verify: {}\n", report.error().message());
    return kNotChecked;
  }
  print_report(*report, deep);
  return report->good() ? kExitOk : kExitFailure;
}

}  // namespace millrace::app
