// ReceiptLedger: receipts in the order their messages came, ready to be settled in as few calls as possible.
// Thread: one owner.
#pragma once

#include <span>
#include <vector>

#include "model/device_message.h"

namespace millrace::pipeline {

class ReceiptLedger {
 public:
  void add(ReceiptSink& sink, Receipt receipt, ReceiptStatus status) {
    if (runs_.empty() || runs_.back().sink != &sink || runs_.back().status != status)
      runs_.push_back({&sink, status, 0});
    ++runs_.back().count;
    receipts_.push_back(receipt);
  }
  [[nodiscard]] bool empty() const { return receipts_.empty(); }
  [[nodiscard]] std::size_t size() const { return receipts_.size(); }

  /// Tells every sink, in order. With `failed`, what was to be durable is refused instead: the sender may try again.
  void settle(bool failed) {
    std::size_t from = 0;
    for (const Run& run : runs_) {
      const auto status = failed && run.status == ReceiptStatus::durable ? ReceiptStatus::quota : run.status;
      if (run.sink != nullptr) run.sink->settle(std::span(receipts_).subspan(from, run.count), status);
      from += run.count;
    }
    clear();
  }
  /// Receipts of `sink` are dropped unanswered.
  void forget(const ReceiptSink& sink) {
    for (Run& run : runs_) {
      if (run.sink == &sink) run.sink = nullptr;
    }
  }
  void clear() {
    receipts_.clear();
    runs_.clear();
  }

 private:
  struct Run {
    ReceiptSink* sink;
    ReceiptStatus status;
    std::size_t count;
  };
  std::vector<Receipt> receipts_;
  std::vector<Run> runs_;
};

}  // namespace millrace::pipeline
