#include "connect/sinks/s3/open_object.h"

#include <zlib.h>

namespace millrace::connect::s3 {

struct Deflater::State {
  z_stream stream{};
  bool usable = false;
};

Deflater::Deflater(int level) : state_(std::make_unique<State>()) {
  constexpr int kRaw = -15;  // no zlib header: ours is gzip's
  state_->usable = deflateInit2(&state_->stream, level, Z_DEFLATED, kRaw, 8, Z_DEFAULT_STRATEGY) == Z_OK;
}

Deflater::~Deflater() {
  if (state_->usable) deflateEnd(&state_->stream);
}

Result<void> Deflater::block(ByteView plain, bool last, Buffer& out) {
  z_stream& stream = state_->stream;
  if (!state_->usable || deflateReset(&stream) != Z_OK) return fail(ErrorCode::internal, "zlib gave no stream");
  const std::size_t bound = deflateBound(&stream, static_cast<uLong>(plain.size())) + 64;
  // zlib does not write to its input, but its interface says so.
  stream.next_in = const_cast<Bytef*>(plain.data());
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = out.prepare(bound);
  stream.avail_out = static_cast<uInt>(bound);
  const int result = deflate(&stream, last ? Z_FINISH : Z_FULL_FLUSH);
  if (stream.avail_in != 0 || (last ? result != Z_STREAM_END : result != Z_OK)) {
    return fail(ErrorCode::internal, "zlib did not take a block");
  }
  out.commit(bound - stream.avail_out);
  return {};
}

Result<void> OpenObject::compress(bool last) {
  if (!begun_) {
    // No time and no name: the same records give the same bytes. 255: the operating system is unknown.
    static constexpr std::uint8_t kHeader[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};
    ready_.memory().append(ByteView(kHeader));
    begun_ = true;
  }
  MR_TRY(plain_.gather());
  Buffer& plain = plain_.memory();
  Buffer& ready = ready_.memory();
  MR_TRY(deflater_->block(plain.view(), last, ready));
  // Of no bytes at no address crc32() would begin anew.
  if (!plain.empty()) crc_ = static_cast<std::uint32_t>(crc32(crc_, plain.data(), static_cast<uInt>(plain.size())));
  plain_bytes_ += plain.size();
  plain.clear();
  if (last) {
    for (const auto word : {crc_, static_cast<std::uint32_t>(plain_bytes_)}) {
      for (int shift = 0; shift < 32; shift += 8) ready.push_back(static_cast<std::uint8_t>(word >> shift));
    }
  }
  return {};
}

Result<void> OpenObject::append(const Datum& value) {
  Buffer& plain = plain_.memory();
  before_ = plain.size();
  auto written = writer_->append(value, plain);
  if (!written) plain.resize(before_);
  return written;
}

void OpenObject::take_back() {
  plain_.memory().resize(before_);
}

Result<void> OpenObject::wrote() {
  return deflater_ != nullptr && plain_.size() >= kBlock ? compress(false) : Result<void>();
}

Result<void> OpenObject::send_parts(Bucket& bucket, std::size_t part_bytes) {
  KeptBytes& kept = deflater_ != nullptr ? ready_ : plain_;
  if (kept.size() < part_bytes) return {};
  MR_TRY(kept.gather());
  Buffer& bytes = kept.memory();
  while (bytes.size() >= part_bytes) {
    if (upload_.empty()) {
      MR_TRY_ASSIGN(upload_, bucket.begin_parts(key_, content_type_));
    }
    MR_TRY_ASSIGN(std::string etag,
                  bucket.put_part(key_, upload_, static_cast<int>(etags_.size()) + 1, bytes.view(0, part_bytes)));
    etags_.push_back(std::move(etag));
    bytes.consume(part_bytes);
  }
  return {};
}

Result<void> OpenObject::finish(Bucket& bucket) {
  if (finished_) return {};
  if (!ended_) MR_TRY(writer_->end(plain_.memory()));
  ended_ = true;
  if (deflater_ != nullptr && !sealed_) MR_TRY(compress(true));
  sealed_ = true;
  KeptBytes& kept = deflater_ != nullptr ? ready_ : plain_;
  MR_TRY(kept.gather());
  Buffer& bytes = kept.memory();
  if (upload_.empty()) {
    MR_TRY(bucket.put(key_, bytes.view(), content_type_));
  } else {
    if (!bytes.empty()) {
      MR_TRY_ASSIGN(std::string etag,
                    bucket.put_part(key_, upload_, static_cast<int>(etags_.size()) + 1, bytes.view()));
      etags_.push_back(std::move(etag));
      bytes.clear();
    }
    MR_TRY(bucket.complete(key_, upload_, etags_));
  }
  finished_ = true;
  kept.reset();
  plain_.reset();
  return {};
}

Result<void> OpenObject::spill(SpillFile& file) {
  MR_TRY(plain_.spill(file));
  return ready_.spill(file);
}

void OpenObject::abandon(Bucket& bucket) {
  if (!upload_.empty() && !finished_) static_cast<void>(bucket.abort(key_, upload_));
}

}  // namespace millrace::connect::s3
