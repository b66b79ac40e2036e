// The Nth operation fails, for every N: a script of 200 records with everything the log does, run once per operation
// and error. After the failure the directory is opened again without faults, and what was acknowledged must be there,
// in order, and nothing invented.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/log.h"
#include "io/fault_injecting_file_system.h"
#include "storage/testing/log_on_disk.h"
#include "storage/verify.h"

namespace millrace::storage {
namespace {

constexpr int kRecords = 200;

// What a client knows: which values were acknowledged at which offset, and which were tried last without an answer.
struct Expectation {
  std::map<std::string, std::vector<std::string>> acknowledged;  // by topic
  std::map<std::string, std::vector<std::string>> unanswered;
  std::map<std::string, Offset> log_start;
  bool died = false;
  std::string why;
  int full = 0;
};

std::string record(int i) {
  return "record " + std::to_string(i) + std::string(static_cast<std::size_t>(100 + i * 7 % 400), '.');
}

class Script {
 public:
  Script(LogOnDisk& disk, Expectation& expect) : disk_(disk), expect_(expect) {}

  // Runs until the end or until the log died.
  void run() {
    if (!attempt([&] { return disk_.open(); })) return;
    LogConfig config;
    config.segment_bytes = 10'000;
    for (const char* topic : {"a", "b"}) {
      if (!attempt([&] { return create(topic, config); })) return;
    }
    for (int i = 0; i < kRecords; i += 2) {
      if (!attempt([&] { return append_pair(i); })) return;
      disk_.clock.advance(std::chrono::milliseconds(300));
      if (i % 4 == 0 && !attempt([&] { return written_behind(); })) return;
      if (i % 50 == 48 && !attempt([&] { return disk_.log->checkpoint(); })) return;
      if (i == 100 && !attempt([&] { return create("c", config); })) return;
      if (i == 120 && !attempt([&] { return producer_id(); })) return;
      if (i == 140 && !attempt([&] { return trim("a", Offset(40)); })) return;
      if (i == 160 && !attempt([&] { return remove("c"); })) return;
      if (i == 170 && !attempt([&] { return disk_.log->enforce_retention(); })) return;
    }
    attempt([&] { return disk_.stop(); });
  }

 private:
  // A full disk may be tried again; everything else ends the process.
  template <class Step>
  bool attempt(Step&& step) {
    for (int tries = 0; tries < 3; ++tries) {
      const Result<void> done = step();
      if (done) return true;
      expect_.why = done.error().message();
      if (done.error().code != ErrorCode::disk_full) break;
      ++expect_.full;
    }
    expect_.died = true;
    return false;
  }

  Result<void> create(const std::string& topic, const LogConfig& config) {
    PartitionChange change = CreatePartition{{{topic, PartitionIndex(0)}, Uuid::from_random(7, 9), config, ""}, {}};
    MR_TRY(disk_.log->commit({&change, 1}, {}));
    expect_.acknowledged[topic];
    return {};
  }
  Result<void> remove(const std::string& topic) {
    PartitionChange change = DeletePartition{{topic, PartitionIndex(0)}, {}};
    return disk_.log->commit({&change, 1}, {});
  }
  Result<void> trim(const std::string& topic, Offset offset) {
    PartitionChange change = TrimPartition{{topic, PartitionIndex(0)}, offset, {}};
    MR_TRY(disk_.log->commit({&change, 1}, {}));
    expect_.log_start[topic] = offset;
    return {};
  }
  Result<void> producer_id() {
    MR_TRY(disk_.log->next_producer_id());
    return {};
  }
  Result<void> append_pair(int i) {
    const auto a = disk_.find("a");
    const auto b = disk_.find("b");
    Append first{a.get(), batch_of({record(i)}), {}};
    Append second{b.get(), batch_of({record(i + 1)}), {}};
    Append* const both[] = {&first, &second};
    expect_.unanswered["a"] = {record(i)};
    expect_.unanswered["b"] = {record(i + 1)};
    MR_TRY(disk_.log->commit({}, both));
    for (const char* topic : {"a", "b"}) {
      auto& known = expect_.acknowledged[topic];
      for (std::string& value : expect_.unanswered[topic]) known.push_back(std::move(value));
      expect_.unanswered[topic].clear();
    }
    EXPECT_EQ(first.outcome->base_offset.value() + 1, static_cast<std::int64_t>(expect_.acknowledged["a"].size()));
    EXPECT_EQ(a->high_watermark().value(), static_cast<std::int64_t>(expect_.acknowledged["a"].size()));
    return {};
  }
  Result<void> written_behind() {
    for (int i = 0; i < 20; ++i) {
      MR_TRY_ASSIGN(const bool more, disk_.log->write_behind());
      if (!more) break;
    }
    return {};
  }

  LogOnDisk& disk_;
  Expectation& expect_;
};

void check_reopened(LogOnDisk& disk, const Expectation& expect, const std::string& what) {
  const auto opened = disk.open();
  ASSERT_TRUE(opened) << what << ": " << opened.error().message();
  for (const auto& [topic, acknowledged] : expect.acknowledged) {
    if (topic == "c") continue;
    const auto partition = disk.find(topic);
    ASSERT_TRUE(partition) << what << ": " << topic << " is gone";
    const auto start = expect.log_start.contains(topic) ? expect.log_start.at(topic) : Offset(0);
    if (partition->log_start() != start) {
      ASSERT_TRUE(topic == "a" && partition->log_start() == Offset(40)) << what;  // the trim that got no answer
    }
    const std::vector<std::string> found = read_all(*partition, partition->log_start());
    const auto skip = static_cast<std::size_t>(partition->log_start().value());
    std::vector<std::string> least(acknowledged.begin() + static_cast<std::ptrdiff_t>(skip), acknowledged.end());
    std::vector<std::string> most = least;
    if (expect.unanswered.contains(topic)) {
      most.insert(most.end(), expect.unanswered.at(topic).begin(), expect.unanswered.at(topic).end());
    }
    ASSERT_TRUE(found == least || found == most)
        << what << ": " << topic << " has " << found.size() << " records, acknowledged " << least.size();
  }
  // It must go on, and the directory must be sound.
  if (!expect.acknowledged.empty()) {
    ASSERT_TRUE(disk.append(*disk.find("a"), batch_of({"after"}))) << what;
  }
  ASSERT_TRUE(disk.stop()) << what;
  const auto report = verify_directory(disk.files(), {.deep = true});
  ASSERT_TRUE(report) << what << ": " << report.error().message();
  for (const Damage& damage : report->damage)
    ADD_FAILURE() << what << ": " << damage.file << " at " << damage.position << ": " << damage.what;
}

// Where the log may stop when it is told that there is no room; everywhere else it goes on by itself.
struct MayStop {
  io::Operation operation;
  std::string_view why;
};
constexpr MayStop kMayStopWithoutRoom[] = {
    // Delayed allocation may find no room as late as here, and then the kernel may have dropped the pages and called
    // them clean. Only a start knows what the device has: it reads the journal anew.
    {io::Operation::sync, "the kernel may have dropped what it could not write"},
    {io::Operation::sync_directory, "as sync: which names are durable is not known"},
    {io::Operation::sync_all, "as sync, of everything"},
};

// Counts by operation what became of the log, and judges it.
class Outcomes {
 public:
  void add(const std::vector<io::FaultInjectingFileSystem::Injected>& faults, const Expectation& expect, bool full) {
    const auto& fault = faults.front();
    Counts& counts = by_operation_[fault.kind];
    (expect.died ? counts.stopped : counts.went_on) += 1;
    if (!expect.died || !full) return;
    // The second of two may be what it stopped of.
    const bool allowed = std::ranges::any_of(faults, [](const auto& each) {
      return std::ranges::any_of(kMayStopWithoutRoom, [&](const MayStop& may) { return may.operation == each.kind; });
    });
    EXPECT_TRUE(allowed) << "no room at " << io::operation_name(fault.kind) << " of " << fault.path
                         << " stopped the log: " << expect.why;
  }
  void print(const char* what) const {
    for (const auto& [operation, counts] : by_operation_) {
      std::printf("%s at %s: stopped %d times, went on %d times\n", what,
                  std::string(io::operation_name(operation)).c_str(), counts.stopped, counts.went_on);
    }
  }

 private:
  struct Counts {
    int stopped = 0;
    int went_on = 0;
  };
  std::map<io::Operation, Counts> by_operation_;
};

class NthFailure : public testing::TestWithParam<std::pair<const char*, io::Fault>> {
 protected:
  void fail_everywhere(std::size_t sync_one_by_one);
};

void NthFailure::fail_everywhere(std::size_t sync_one_by_one) {
  log::set_level(log::Level::off);
  std::uint64_t total = 0;
  Outcomes outcomes;
  for (std::uint64_t n = 0; n <= total; ++n) {
    LogOnDisk disk;
    io::FaultInjectingFileSystem faults(disk.files());
    LogOnDisk faulty(faults);
    faulty.options.sync_one_by_one = sync_one_by_one;
    io::Fault fault = GetParam().second;
    fault.nth = n == 0 ? io::Fault::kForever : n;  // the first run counts
    faults.plan(fault);
    Expectation expect;
    Script(faulty, expect).run();
    if (n == 0) {
      ASSERT_FALSE(expect.died);
      total = faults.count(fault.kinds);
    }
    if (faults.injected() > 0) outcomes.add(faults.injected_operations(), expect, fault.error == ErrorCode::disk_full);
    faulty.crash();
    faults.clear_plan();
    check_reopened(disk, expect, std::string(GetParam().first) + " at operation " + std::to_string(n));
    if (HasFatalFailure()) return;
  }
  RecordProperty("operations", static_cast<int>(total));
  outcomes.print(GetParam().first);
}

TEST_P(NthFailure, AcknowledgedStaysAndNothingIsInvented) {
  fail_everywhere(LogOptions().sync_one_by_one);
}

// As thousands of partitions have it: their pieces are written together, and synced by one call.
TEST_P(NthFailure, OfManyPartitionsToo) {
  fail_everywhere(0);
}

INSTANTIATE_TEST_SUITE_P(
    Faults, NthFailure,
    testing::Values(std::pair("EIO", io::Fault{.error = ErrorCode::io_error}),
                    std::pair("EIO with a torn write", io::Fault{.error = ErrorCode::io_error, .torn_bytes = 1000}),
                    std::pair("ENOSPC", io::Fault{.error = ErrorCode::disk_full}),
                    std::pair("ENOSPC with a short write",
                              io::Fault{.error = ErrorCode::disk_full, .torn_bytes = 5000}),
                    std::pair("ENOSPC twice", io::Fault{.error = ErrorCode::disk_full, .torn_bytes = 300, .times = 2}),
                    std::pair("EIO on reads", io::Fault{.kinds = io::only(io::Operation::read)})),
    [](const auto& instance) {
      std::string name = instance.param.first;
      std::erase_if(name, [](char c) { return c == ' '; });
      return name;
    });

}  // namespace
}  // namespace millrace::storage
