#include "io/fault_injecting_file_system.h"

#include <algorithm>

namespace millrace::io {
namespace {

using Plan = FaultInjectingFileSystem::Plan;

std::unexpected<Error> injected_failure(ErrorCode code, std::string_view path) {
  return fail(code, "injected fault", std::string(path));
}

class FaultInjectingFile final : public File {
 public:
  FaultInjectingFile(std::unique_ptr<File> below, std::shared_ptr<Guarded<Plan>> plan, std::string path)
      : below_(std::move(below)), plan_(std::move(plan)), path_(std::move(path)) {}

  using File::write_at;
  Result<std::size_t> read_at(std::uint64_t offset, MutableByteView into) override {
    MR_TRY(check(Operation::read));
    return below_->read_at(offset, into);
  }
  Result<void> write_at(std::uint64_t offset, std::span<const ByteView> pieces) override {
    const auto verdict = plan_->with([&](Plan& plan) { return plan.pass(Operation::write, path_); });
    if (!verdict.fails) return below_->write_at(offset, pieces);
    std::size_t left = verdict.torn_bytes;
    for (const ByteView piece : pieces) {
      const std::size_t part = std::min(left, piece.size());
      if (part == 0) continue;
      MR_TRY(below_->write_at(offset, piece.first(part)));
      offset += part;
      left -= part;
    }
    return injected_failure(verdict.error, path_);
  }
  Result<void> sync_data() override {
    MR_TRY(check(Operation::sync));
    return below_->sync_data();
  }
  Result<void> truncate(std::uint64_t size) override {
    MR_TRY(check(Operation::truncate));
    return below_->truncate(size);
  }
  Result<void> reserve(std::uint64_t offset, std::uint64_t length) override {
    MR_TRY(check(Operation::reserve));
    return below_->reserve(offset, length);
  }
  void start_writeback(std::uint64_t offset, std::uint64_t length) override { below_->start_writeback(offset, length); }
  Result<std::uint64_t> size() override { return below_->size(); }
  [[nodiscard]] int descriptor() const override { return below_->descriptor(); }

 private:
  Result<void> check(Operation kind) {
    const auto verdict = plan_->with([&](Plan& plan) { return plan.pass(kind, path_); });
    if (verdict.fails) return injected_failure(verdict.error, path_);
    return {};
  }

  std::unique_ptr<File> below_;
  std::shared_ptr<Guarded<Plan>> plan_;
  std::string path_;
};

}  // namespace

std::string_view operation_name(Operation kind) {
  constexpr std::string_view kNames[kOperationKinds] = {
      "create", "open",   "read",           "write",          "sync", "truncate", "reserve",
      "rename", "remove", "make directory", "sync directory", "list", "sync all"};
  return kNames[static_cast<std::size_t>(kind)];
}

OperationSet only(Operation kind) {
  return OperationSet().set(static_cast<std::size_t>(kind));
}

OperationSet mutating_operations() {
  return all_operations() & ~only(Operation::read) & ~only(Operation::list) & ~only(Operation::open_existing);
}

OperationSet all_operations() {
  return OperationSet().set();
}

Plan::Verdict FaultInjectingFileSystem::Plan::pass(Operation kind, std::string_view path) {
  ++counts[static_cast<std::size_t>(kind)];
  if (!armed || !fault.kinds.test(static_cast<std::size_t>(kind))) return {};
  ++seen;
  if (seen < fault.nth || seen - fault.nth >= fault.times) return {};
  injected.push_back({kind, std::string(path)});
  return {true, fault.error, fault.torn_bytes};
}

FaultInjectingFileSystem::FaultInjectingFileSystem(FileSystem& below)
    : below_(below), plan_(std::make_shared<Guarded<Plan>>()) {}

void FaultInjectingFileSystem::plan(const Fault& fault) {
  plan_->with([&](Plan& plan) {
    plan.fault = fault;
    plan.seen = 0;
    plan.armed = true;
  });
}

void FaultInjectingFileSystem::clear_plan() {
  plan_->with([](Plan& plan) { plan.armed = false; });
}

std::uint64_t FaultInjectingFileSystem::injected() const {
  return plan_->with([](const Plan& plan) { return plan.injected.size(); });
}

std::vector<FaultInjectingFileSystem::Injected> FaultInjectingFileSystem::injected_operations() const {
  return plan_->with([](const Plan& plan) { return plan.injected; });
}

std::uint64_t FaultInjectingFileSystem::count(Operation kind) const {
  return count(only(kind));
}

std::uint64_t FaultInjectingFileSystem::count(const OperationSet& kinds) const {
  return plan_->with([&](const Plan& plan) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < kOperationKinds; ++i) sum += kinds.test(i) ? plan.counts[i] : 0;
    return sum;
  });
}

Result<void> FaultInjectingFileSystem::check(Operation kind, std::string_view path) {
  const auto verdict = plan_->with([&](Plan& plan) { return plan.pass(kind, path); });
  if (verdict.fails) return injected_failure(verdict.error, describe(path));
  return {};
}

Result<std::unique_ptr<File>> FaultInjectingFileSystem::open(std::string_view path, OpenMode mode) {
  const bool creates = mode == OpenMode::create || mode == OpenMode::create_new;
  MR_TRY(check(creates ? Operation::open : Operation::open_existing, path));
  MR_TRY_ASSIGN(std::unique_ptr<File> file, below_.open(path, mode));
  return std::make_unique<FaultInjectingFile>(std::move(file), plan_, describe(path));
}

Result<void> FaultInjectingFileSystem::rename(std::string_view from, std::string_view to) {
  MR_TRY(check(Operation::rename, from));
  return below_.rename(from, to);
}

Result<void> FaultInjectingFileSystem::remove_file(std::string_view path) {
  MR_TRY(check(Operation::remove, path));
  return below_.remove_file(path);
}

Result<void> FaultInjectingFileSystem::remove_tree(std::string_view path) {
  MR_TRY(check(Operation::remove, path));
  return below_.remove_tree(path);
}

Result<void> FaultInjectingFileSystem::make_directory(std::string_view path) {
  MR_TRY(check(Operation::make_directory, path));
  return below_.make_directory(path);
}

Result<void> FaultInjectingFileSystem::sync_directory(std::string_view path) {
  MR_TRY(check(Operation::sync_directory, path));
  return below_.sync_directory(path);
}

Result<void> FaultInjectingFileSystem::sync_all() {
  MR_TRY(check(Operation::sync_all, ""));
  return below_.sync_all();
}

Result<std::vector<std::string>> FaultInjectingFileSystem::list(std::string_view path) {
  MR_TRY(check(Operation::list, path));
  return below_.list(path);
}

Result<std::uint64_t> FaultInjectingFileSystem::file_size(std::string_view path) {
  MR_TRY(check(Operation::list, path));
  return below_.file_size(path);
}

bool FaultInjectingFileSystem::exists(std::string_view path) {
  return below_.exists(path);
}

Result<std::unique_ptr<File>> FaultInjectingFileSystem::lock(std::string_view path) {
  MR_TRY(check(Operation::open, path));
  return below_.lock(path);
}

Result<std::uint64_t> FaultInjectingFileSystem::free_bytes() {
  return below_.free_bytes();
}

Result<std::uint64_t> FaultInjectingFileSystem::total_bytes() {
  return below_.total_bytes();
}

std::string FaultInjectingFileSystem::describe(std::string_view path) const {
  return below_.describe(path);
}

}  // namespace millrace::io
