// What a commit costs the log thread besides the system calls, and what the whole path carries: commits of 6 batches of
// 64 KiB with the segment writer beside them. BM_CommitInMemory writes to memory that only counts, so its time is all
// our own.
#include <benchmark/benchmark.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "base/log.h"
#include "io/posix_file_system.h"
#include "io/temporary_directory.h"
#include "metrics/registry.h"
#include "model/record_batch_builder.h"
#include "storage/log.h"
#include "storage/testing/memory_file_system.h"

namespace millrace::storage {
namespace {

SharedBytes batch_of_bytes(std::size_t size) {
  RecordBatchBuilder builder;
  const std::string value(256, 'v');
  while (builder.size_bytes() + 300 < size) {
    builder.append(
        {.key = as_bytes("device"), .value = as_bytes(value), .headers = {}, .timestamp_ms = 1'700'000'000'000});
  }
  return builder.finish();
}

// Takes everything and keeps nothing of the journal's payload.
class CountingFileSystem final : public io::FileSystem {
 public:
  Result<std::unique_ptr<io::File>> open(std::string_view path, io::OpenMode mode) override {
    MR_TRY_ASSIGN(auto below, below_.open(path, mode));
    return std::make_unique<CountingFile>(std::move(below), path.starts_with("journal/"));
  }
  Result<void> rename(std::string_view from, std::string_view to) override { return below_.rename(from, to); }
  Result<void> remove_file(std::string_view path) override { return below_.remove_file(path); }
  Result<void> remove_tree(std::string_view path) override { return below_.remove_tree(path); }
  Result<void> make_directory(std::string_view path) override { return below_.make_directory(path); }
  Result<void> sync_directory(std::string_view) override { return {}; }
  Result<void> sync_all() override { return {}; }
  Result<std::vector<std::string>> list(std::string_view path) override { return below_.list(path); }
  bool exists(std::string_view path) override { return below_.exists(path); }
  Result<std::unique_ptr<io::File>> lock(std::string_view path) override { return below_.lock(path); }
  Result<std::uint64_t> free_bytes() override { return 1_GiB; }

 private:
  class CountingFile final : public io::File {
   public:
    CountingFile(std::unique_ptr<io::File> below, bool journal) : below_(std::move(below)), journal_(journal) {}
    Result<std::size_t> read_at(std::uint64_t offset, MutableByteView into) override {
      return below_->read_at(offset, into);
    }
    Result<void> write_at(std::uint64_t offset, std::span<const ByteView> pieces) override {
      return journal_ ? Result<void>{} : below_->write_at(offset, pieces);
    }
    Result<void> sync_data() override { return {}; }
    Result<void> truncate(std::uint64_t size) override { return below_->truncate(size); }
    Result<void> reserve(std::uint64_t, std::uint64_t) override { return {}; }
    void start_writeback(std::uint64_t, std::uint64_t) override {}
    Result<std::uint64_t> size() override { return below_->size(); }

   private:
    std::unique_ptr<io::File> below_;
    bool journal_;
  };
  MemoryFileSystem below_;
};

struct Commit {
  std::vector<Append> appends;
  std::vector<Append*> pointers;
};

void fill(Commit& commit, const std::vector<Log::PartitionEntry>& partitions, const SharedBytes& batch) {
  commit.appends.clear();
  commit.pointers.clear();
  for (const auto& entry : partitions) commit.appends.push_back({entry.log.get(), batch, {}});
  for (Append& append : commit.appends) commit.pointers.push_back(&append);
}

std::vector<Log::PartitionEntry> create(Log& log, int count) {
  std::vector<PartitionChange> changes;
  for (int i = 0; i < count; ++i) changes.emplace_back(CreatePartition{{{"t", PartitionIndex(i)}, {}, {}, ""}, {}});
  (void)log.commit(changes, {});
  return log.partitions();
}

void BM_CommitInMemory(benchmark::State& state) {
  log::set_level(log::Level::off);
  CountingFileSystem files;
  SystemClock clock;
  metrics::Registry metrics;
  LogOptions options;
  options.journal_max_bytes = 1ULL << 40U;
  options.journal_file_bytes = 4_GiB;
  auto log = Log::open(files, clock, metrics, options);
  const auto partitions = create(**log, static_cast<int>(state.range(0)));
  const SharedBytes batch = batch_of_bytes(static_cast<std::size_t>(state.range(1)));
  Commit commit;
  for (auto _ : state) {
    fill(commit, partitions, batch);
    benchmark::DoNotOptimize((*log)->commit({}, commit.pointers));
  }
  state.SetBytesProcessed(state.iterations() * state.range(0) * static_cast<std::int64_t>(batch.size()));
}
BENCHMARK(BM_CommitInMemory)->Args({6, 65'536})->Args({64, 4'096})->Iterations(5'000);

void BM_CommitOnDisk(benchmark::State& state) {
  log::set_level(log::Level::off);
  io::TemporaryDirectory directory;
  const auto files = io::PosixFileSystem::open(directory.path());
  SystemClock clock;
  metrics::Registry metrics;
  auto log = Log::open(**files, clock, metrics, {});
  const auto partitions = create(**log, static_cast<int>(state.range(0)));
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    while (!stop) {
      const auto more = (*log)->write_behind();
      if ((*log)->checkpoint_due()) (void)(*log)->checkpoint();
      if (!more || !*more) std::this_thread::yield();
    }
  });
  Commit commit;
  std::vector<double> microseconds;
  std::int64_t bytes = 0;
  std::int64_t refused = 0;
  for (auto _ : state) {
    state.PauseTiming();
    const SharedBytes batch = batch_of_bytes(static_cast<std::size_t>(state.range(1)));
    state.ResumeTiming();
    fill(commit, partitions, batch);
    const auto start = clock.mono();
    while (!(*log)->commit({}, commit.pointers)) {
      ++refused;
      std::this_thread::yield();
    }
    microseconds.push_back(static_cast<double>((clock.mono() - start).count()) / 1000.0);
    bytes += static_cast<std::int64_t>(batch.size()) * state.range(0);
  }
  stop = true;
  writer.join();
  std::ranges::sort(microseconds);
  const auto at = [&](double part) {
    return microseconds[static_cast<std::size_t>(static_cast<double>(microseconds.size() - 1) * part)];
  };
  state.SetBytesProcessed(bytes);
  state.counters["p50_us"] = at(0.5);
  state.counters["p99_us"] = at(0.99);
  state.counters["p999_us"] = at(0.999);
  state.counters["refused"] = static_cast<double>(refused);
}
BENCHMARK(BM_CommitOnDisk)->Args({6, 65'536})->Args({64, 4'096})->Iterations(6'000)->UseRealTime();

void BM_OpenEmpty(benchmark::State& state) {
  log::set_level(log::Level::off);
  SystemClock clock;
  metrics::Registry metrics;
  for (auto _ : state) {
    state.PauseTiming();
    io::TemporaryDirectory directory;
    const auto files = io::PosixFileSystem::open(directory.path());
    state.ResumeTiming();
    auto log = Log::open(**files, clock, metrics, {});
    benchmark::DoNotOptimize(log);
    state.PauseTiming();
    log->reset();
    state.ResumeTiming();
  }
}
BENCHMARK(BM_OpenEmpty)->Iterations(20)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace millrace::storage
