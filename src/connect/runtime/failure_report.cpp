#include "connect/runtime/failure_report.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "base/log.h"

namespace millrace::connect {

std::vector<FailedRecord> without_secrets(std::span<const FailedRecord> failed, const SecretMask& mask) {
  std::vector<FailedRecord> clean(failed.begin(), failed.end());
  for (FailedRecord& record : clean) record.message = mask.hide(std::move(record.message));
  return clean;
}

Result<void> report_failures(TaskHost& host, BlockingLog& log, const std::string& connector,
                             std::span<const FailedRecord> failed, bool with_copies) {
  if (failed.empty()) return {};
  if (with_copies && host.archive != nullptr) MR_TRY(host.archive->keep(log, connector, failed));
  std::vector<FailureLedger::Failure> entries;
  for (const FailedRecord& record : failed) {
    entries.push_back({{connector, *record.origin.partition, record.origin.offset},
                       std::string(to_string(record.stage)),
                       record.error_class,
                       record.message});
  }
  const auto answer = std::make_shared<std::optional<Result<void>>>();
  host.failures.record(std::move(entries), log.executor(), [answer](Result<void> written) { *answer = written; });
  if (!log.await([&] { return answer->has_value(); })) {
    return fail(ErrorCode::timed_out, "the failure ledger took no entry");
  }
  return **answer;
}

void log_failures(const std::string& connector, std::span<const FailedRecord> failed) {
  // The ledger has them all; a topic full of poison does not fill the disk with log lines.
  constexpr std::size_t kLogged = 10;
  if (failed.size() > kLogged) {
    log::error("records_failed", {{"connector", connector},
                                  {"count", failed.size()},
                                  {"hint", "the first ones follow; `millrace failures list` shows all"}});
  }
  for (const FailedRecord& record : failed.first(std::min(kLogged, failed.size()))) {
    log::error("record_failed", {{"connector", connector},
                                 {"topic", record.origin.partition->topic},
                                 {"partition", record.origin.partition->partition.value()},
                                 {"offset", record.origin.offset.value()},
                                 {"stage", to_string(record.stage)},
                                 {"error", record.message}});
  }
}

}  // namespace millrace::connect
