#include "kafka/protocol/encoder.h"

#include <limits>

namespace millrace::kafka {

std::size_t RecordSet::size() const {
  if (!file.empty()) return file.size;
  if (batches.empty()) return bytes.size();
  std::size_t total = 0;
  for (const SharedBytes& batch : batches) total += batch.size();
  return total;
}

void Encoder::string(std::string_view text, bool flexible) {
  if (flexible) {
    writer_.uvarint(text.size() + 1);
  } else {
    if (text.size() > static_cast<std::size_t>(std::numeric_limits<std::int16_t>::max())) {
      ok_ = false;
      text = {};
    }
    writer_.be(static_cast<std::int16_t>(text.size()));
  }
  writer_.text(text);
}

void Encoder::nullable_string(const std::optional<std::string_view>& text, bool flexible) {
  if (text) return string(*text, flexible);
  if (flexible) {
    writer_.u8(0);
  } else {
    writer_.be(std::int16_t{-1});
  }
}

void Encoder::count(std::size_t count, bool flexible) {
  if (count > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
    ok_ = false;
    count = 0;
  }
  if (flexible) {
    writer_.uvarint(count + 1);
  } else {
    writer_.be(static_cast<std::int32_t>(count));
  }
}

void Encoder::null_array(bool flexible) {
  if (flexible) {
    writer_.u8(0);
  } else {
    writer_.be(std::int32_t{-1});
  }
}

void Encoder::bytes(ByteView view, bool flexible) {
  count(view.size(), flexible);
  writer_.bytes(view);
}

void Encoder::nullable_bytes(const std::optional<ByteView>& view, bool flexible) {
  if (view) return bytes(*view, flexible);
  null_array(flexible);
}

void Encoder::null_records(bool flexible) {
  null_array(flexible);
}

void Encoder::records(const RecordSet& records, bool flexible) {
  count(records.size(), flexible);
  if (!records.file.empty()) {
    ok_ = ok_ && splices_ != nullptr;
    if (splices_ != nullptr) splices_->push_back({writer_.buffer().size(), SharedBytes(), records.file});
    return;
  }
  if (records.batches.empty()) return writer_.bytes(records.bytes);
  for (const SharedBytes& batch : records.batches) {
    if (splices_ != nullptr && batch.size() >= kSpliceMinBytes) {
      splices_->push_back({writer_.buffer().size(), batch, {}});
    } else {
      writer_.bytes(batch.view());
    }
  }
}

}  // namespace millrace::kafka
