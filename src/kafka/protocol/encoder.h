// Encoder: Kafka's primitive types appended to a Buffer; the mirror of Decoder.
//
// Records are not copied when the caller gives a place for splices: the buffer then holds everything but the large
// batches, and each splice says at which position of the buffer which shared bytes belong. Errors (a string too long
// for its length field) are sticky.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/buffer.h"
#include "base/byte_writer.h"
#include "base/file_slice.h"
#include "kafka/protocol/decoder.h"

namespace millrace::kafka {

/// The records of one partition in a response: bytes, batches that are shared with the log, or a part of a segment
/// file.
struct RecordSet {
  ByteView bytes;
  std::vector<SharedBytes> batches;  // used when not empty
  FileSlice file{};                  // used when not empty; the encoder must have a place for splices
  [[nodiscard]] std::size_t size() const;
};

struct Splice {
  std::size_t position;  // in the buffer: the bytes belong in front of what stands here
  SharedBytes bytes;
  FileSlice file{};  // instead of bytes, when not empty
  [[nodiscard]] std::size_t size() const { return file.empty() ? bytes.size() : file.size; }
};

/// Batches below this size are cheaper to copy than to send as an iovec of their own.
inline constexpr std::size_t kSpliceMinBytes = 2048;

class Encoder {
 public:
  explicit Encoder(Buffer& out, std::vector<Splice>* splices = nullptr) : writer_(out), splices_(splices) {}

  [[nodiscard]] bool ok() const { return ok_; }

  template <std::integral T>
  void be(T value) {
    writer_.be(value);
  }
  void boolean(bool value) { writer_.u8(value ? 1 : 0); }
  void float64(double value) { be(std::bit_cast<std::uint64_t>(value)); }
  void uuid(const UuidBytes& id) { writer_.bytes(id); }

  void string(std::string_view text, bool flexible);
  void nullable_string(const std::optional<std::string_view>& text, bool flexible);
  void bytes(ByteView view, bool flexible);
  void nullable_bytes(const std::optional<ByteView>& view, bool flexible);
  void records(const RecordSet& records, bool flexible);
  void null_records(bool flexible);
  void count(std::size_t count, bool flexible);
  void null_array(bool flexible);

  void uvarint(std::uint64_t value) { writer_.uvarint(value); }
  /// One tagged field: tag, size, and what `content(encoder)` writes.
  template <class Content>
  void tag(std::uint32_t tag, Content&& content) {
    Buffer part;
    Encoder inner(part);
    content(inner);
    ok_ = ok_ && inner.ok();
    writer_.uvarint(tag);
    writer_.uvarint(part.size());
    writer_.bytes(part.view());
  }

 private:
  ByteWriter writer_;
  std::vector<Splice>* splices_;
  bool ok_ = true;
};

}  // namespace millrace::kafka
