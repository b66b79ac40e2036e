#include <benchmark/benchmark.h>

#include <string>

#include "codec/crc32c.h"
#include "model/record_batch_builder.h"

namespace millrace {
namespace {

void build_batch(benchmark::State& state) {
  const std::string value(static_cast<std::size_t>(state.range(0)), 'x');
  const std::string key = "device-0001";
  RecordBatchBuilder builder;
  constexpr int kRecords = 1000;
  for (auto _ : state) {
    for (int i = 0; i < kRecords; ++i) {
      builder.append(
          {.key = as_bytes(key), .value = as_bytes(value), .headers = {}, .timestamp_ms = 1'700'000'000'000 + i});
    }
    benchmark::DoNotOptimize(builder.finish());
  }
  state.SetItemsProcessed(state.iterations() * kRecords);
}
BENCHMARK(build_batch)->Arg(64)->Arg(256)->Arg(300);

void crc(benchmark::State& state) {
  const std::string bytes(static_cast<std::size_t>(state.range(0)), 'x');
  for (auto _ : state) benchmark::DoNotOptimize(crc32c(as_bytes(bytes)));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(crc)->Arg(64)->Arg(4096)->Arg(262144);

}  // namespace
}  // namespace millrace
