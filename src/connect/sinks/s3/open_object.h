// OpenObject: one object being filled: its bytes so far, compressed block by block, and its multipart upload once it is
// larger than a part. The bytes depend on the records alone, never on when or in how many calls they came.
//
// gzip: blocks of kBlock plain bytes are deflated one by one, each as a stream of its own that ends at a byte boundary
// (Z_FULL_FLUSH), behind one header and before one trailer: a single member (RFC 1952), with 32 KiB of window shared by
// all objects instead of 256 KiB of deflate state each. Thread: the task's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "base/result.h"
#include "connect/sinks/s3/bucket.h"
#include "connect/sinks/s3/kept_bytes.h"
#include "connect/sinks/s3/record_format.h"

namespace millrace::connect::s3 {

/// The one deflate state of a sink. Null object: no compression.
class Deflater {
 public:
  /// `level` as zlib's: -1 to 9.
  explicit Deflater(int level);
  ~Deflater();
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;
  /// Appends `plain` as one block; the last one ends the stream.
  Result<void> block(ByteView plain, bool last, Buffer& out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

class OpenObject {
 public:
  static constexpr std::size_t kBlock = 128_KiB;
  /// `deflater` null: stored as it is.
  OpenObject(std::string key, RecordFormat& format, Deflater* deflater)
      : key_(std::move(key)), content_type_(format.content_type()), writer_(format.begin()), deflater_(deflater) {}

  /// Adds a record; then call wrote(). `malformed`: it has no form in this format, and nothing was added.
  Result<void> append(const Datum& value);
  /// Takes the last append() back: another object refuses its part of the record.
  void take_back();
  Result<void> wrote();
  /// Sends what is over `part_bytes`. May be repeated after an error.
  Result<void> send_parts(Bucket& bucket, std::size_t part_bytes);
  /// Completes the object; repeated after an error it goes on where it stood.
  Result<void> finish(Bucket& bucket);
  /// Moves what it keeps to disk and gives the memory back; it is the same object as before. Errors: those of
  /// SpillFile.
  Result<void> spill(SpillFile& file);
  /// Gives up a multipart upload, if there is one.
  void abandon(Bucket& bucket);

  [[nodiscard]] const std::string& key() const { return key_; }
  [[nodiscard]] std::size_t kept_bytes() const { return plain_.size() + ready_.size() + writer_->kept_bytes(); }
  /// What they take of memory: a buffer that grew is up to twice as large as what is in it.
  [[nodiscard]] std::size_t reserved_bytes() const {
    return plain_.reserved_bytes() + ready_.reserved_bytes() + writer_->kept_bytes();
  }
  /// Of those, what spill() can give back.
  [[nodiscard]] std::size_t spillable_bytes() { return plain_.memory().size() + ready_.memory().size(); }
  [[nodiscard]] bool finished() const { return finished_; }
  /// Every record it was made for was refused.
  [[nodiscard]] bool untouched() const { return kept_bytes() == 0 && plain_bytes_ == 0 && etags_.empty(); }
  [[nodiscard]] std::size_t parts() const { return etags_.size(); }

 private:
  Result<void> compress(bool last);

  std::string key_;
  std::string_view content_type_;
  std::unique_ptr<RecordWriter> writer_;
  Deflater* deflater_;
  KeptBytes plain_;         // not compressed yet; without compression: everything not sent
  KeptBytes ready_;         // compressed, not sent
  std::size_t before_ = 0;  // bytes of plain_ in memory before the last append()
  std::uint32_t crc_ = 0;
  std::uint64_t plain_bytes_ = 0;
  bool begun_ = false;   // the gzip header is written
  bool ended_ = false;   // the writer has written everything
  bool sealed_ = false;  // the last block is written
  bool finished_ = false;
  std::string upload_;
  std::vector<std::string> etags_;
};

}  // namespace millrace::connect::s3
