#include "app/rule_dry_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "topics/batch_records.h"

namespace millrace::app {
namespace {

constexpr std::size_t kThreads = 2;
constexpr std::int64_t kPieceOffsets = 100'000;
constexpr std::size_t kReadBytes = 1_MiB;

/// Records of one partition that a thread takes at once.
struct Piece {
  std::shared_ptr<topics::Partition> partition;
  Offset from;
  Offset to;
};

/// Where `timestamp_ms` begins, or the end.
Result<Offset> offset_of(topics::Partition& partition, std::int64_t timestamp_ms) {
  MR_TRY_ASSIGN(const auto found, partition.find_timestamp(timestamp_ms));
  return found ? found->offset : partition.high_watermark();
}

Result<std::vector<Piece>> pieces_of(const topics::Topic& topic, const RuleDryRuns::Request& request, bool& limited) {
  std::vector<Piece> all;
  std::uint64_t left = request.limit;
  for (const auto& partition : topic.partitions) {
    Offset from = partition->log_start();
    Offset end = partition->high_watermark();
    if (request.from_ms) {
      MR_TRY_ASSIGN(from, offset_of(*partition, *request.from_ms));
    }
    if (request.to_ms) {
      MR_TRY_ASSIGN(end, offset_of(*partition, *request.to_ms + 1));
    }
    while (from < end) {
      if (left == 0) {
        limited = true;
        return all;
      }
      const std::int64_t take = std::min({end.value() - from.value(), kPieceOffsets,
                                          static_cast<std::int64_t>(std::min<std::uint64_t>(left, kPieceOffsets))});
      all.push_back({partition, from, Offset(from.value() + take)});
      left -= static_cast<std::uint64_t>(take);
      from = all.back().to;
    }
  }
  return all;
}

class Reader {
 public:
  Reader(const RuleDryRuns::Request& request, rules::DryRun& run) : request_(request), run_(run) {}

  Result<void> read(const Piece& piece) {
    const std::int32_t number = piece.partition->name().partition.value();
    for (Offset at = piece.from; at < piece.to;) {
      auto read = piece.partition->read(at, kReadBytes);
      // Retention has taken the place: what is left is looked at.
      if (!read && read.error().code == ErrorCode::out_of_range && at < piece.partition->log_start()) {
        at = piece.partition->log_start();
        continue;
      }
      if (!read) return std::unexpected<Error>(std::move(read).error());
      if (read->batches.empty()) return {};
      for (const SharedBytes& batch : read->batches) {
        MR_TRY_ASSIGN(at, batches_.visit(batch.view(), at, [&](const ReadRecord& one) {
          const RecordView& record = one.record;
          if (one.offset >= piece.to || !record.value) return;
          if (request_.from_ms && record.timestamp_ms < *request_.from_ms) return;
          if (request_.to_ms && record.timestamp_ms > *request_.to_ms) return;
          run_.judge({.payload = as_text(*record.value),
                      .client_id = record.key ? as_text(*record.key) : std::string_view(),
                      .timestamp_ms = record.timestamp_ms,
                      .partition = number,
                      .offset = one.offset.value()});
        }));
        if (at >= piece.to) break;
      }
    }
    return {};
  }

 private:
  const RuleDryRuns::Request& request_;
  rules::DryRun& run_;
  topics::BatchRecords batches_;
};

}  // namespace

void RuleDryRuns::run(topics::TopicLog& log, Request request, Done done) {
  if (busy_.exchange(true)) {
    done(fail(ErrorCode::busy, "a dry run is under way; one at a time"));
    return;
  }
  thread_.post([this, &log, request = std::move(request), done = std::move(done)]() mutable {
    auto result = work(log, request);
    busy_ = false;
    done(std::move(result));
  });
}

void RuleDryRuns::stop() {
  stopping_ = true;
  thread_.stop();
}

Result<std::string> RuleDryRuns::work(topics::TopicLog& log, const Request& request) {
  const SystemClock clock;
  const MonoTime begin = clock.mono();
  const auto table = log.table();
  const topics::Topic* const topic = table->find(request.topic);
  if (topic == nullptr) return fail(ErrorCode::not_found, "topic", request.topic);
  bool limited = false;
  MR_TRY_ASSIGN(const std::vector<Piece> pieces, pieces_of(*topic, request, limited));
  std::array<std::unique_ptr<rules::DryRun>, kThreads> runs;
  for (auto& run : runs) {
    MR_TRY_ASSIGN(run, rules::DryRun::make(request.plan));
  }
  std::array<Result<void>, kThreads> outcomes;
  std::atomic<std::size_t> next{0};
  const auto judge = [&](std::size_t number) {
    Reader reader(request, *runs[number]);
    for (std::size_t i = next++; i < pieces.size() && outcomes[number]; i = next++) {
      outcomes[number] = stopping_ ? fail(ErrorCode::closed, "the server is stopping") : reader.read(pieces[i]);
    }
  };
  {
    std::vector<std::jthread> others;
    for (std::size_t i = 1; i < kThreads; ++i) others.emplace_back(judge, i);
    judge(0);
  }
  rules::DryRunReport report;
  for (std::size_t i = 0; i < kThreads; ++i) {
    MR_TRY(outcomes[i]);
    report.add(runs[i]->report(), request.plan.samples);
  }
  const std::chrono::duration<double> took = clock.mono() - begin;
  return fmt::format("{{\"seconds\":{:.3f},\"limited\":{},{}\n", took.count(), limited, report.to_json().substr(1));
}

}  // namespace millrace::app
