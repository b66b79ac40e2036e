#include "codec/compression.h"

#include <lz4frame.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <memory>

#include "base/endian.h"

namespace millrace {
namespace {

constexpr std::size_t kChunk = 64_KiB;

// Room at the end of the output that grows as it fills and never past the cap. One byte more than the cap is offered,
// so that content of exactly the cap can be told from more.
class CappedOutput {
 public:
  CappedOutput(Buffer& out, std::size_t cap) : out_(out), start_(out.size()), cap_(cap) {}
  [[nodiscard]] std::size_t room() const {
    const std::size_t done = out_.size() - start_;
    return std::min(std::max(kChunk, done), cap_ - done + 1);
  }
  [[nodiscard]] std::uint8_t* prepare() { return out_.prepare(room()); }
  Result<void> commit(std::size_t count) {
    out_.commit(count);
    if (out_.size() - start_ > cap_) return fail(ErrorCode::too_large, "decompressed data is over its limit");
    return {};
  }

 private:
  Buffer& out_;
  std::size_t start_;
  std::size_t cap_;
};

Result<void> gunzip(ByteView input, std::size_t max_output, Buffer& out) {
  if (input.empty() || input.size() > std::numeric_limits<uInt>::max()) {
    return fail(ErrorCode::malformed, "gzip data is empty or too long");
  }
  z_stream stream{};
  if (inflateInit2(&stream, 15 + 16) != Z_OK) return fail(ErrorCode::internal, "zlib does not start");
  const std::unique_ptr<z_stream, int (*)(z_stream*)> end(&stream, &inflateEnd);
  stream.next_in = const_cast<Bytef*>(input.data());
  stream.avail_in = static_cast<uInt>(input.size());
  CappedOutput capped(out, max_output);
  while (true) {
    const auto room = static_cast<uInt>(capped.room());
    stream.next_out = capped.prepare();
    stream.avail_out = room;
    const int code = inflate(&stream, Z_NO_FLUSH);
    MR_TRY(capped.commit(room - stream.avail_out));
    if (code == Z_STREAM_END) {
      if (stream.avail_in == 0) return {};
      // RFC 1952 2.2: a file is a series of members.
      if (inflateReset(&stream) != Z_OK) return fail(ErrorCode::internal, "zlib does not start again");
    } else if (code != Z_OK || (stream.avail_in == 0 && stream.avail_out != 0)) {
      return fail(ErrorCode::malformed, "gzip data is broken or cut off");
    }
  }
}

Result<void> gzip(ByteView input, Buffer& out) {
  z_stream stream{};
  if (input.size() > std::numeric_limits<uInt>::max() ||
      deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    return fail(ErrorCode::internal, "zlib does not start");
  }
  const std::unique_ptr<z_stream, int (*)(z_stream*)> end(&stream, &deflateEnd);
  const auto bound = static_cast<uInt>(deflateBound(&stream, input.size()));
  stream.next_in = const_cast<Bytef*>(input.data());
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = out.prepare(bound);
  stream.avail_out = bound;
  if (deflate(&stream, Z_FINISH) != Z_STREAM_END) return fail(ErrorCode::internal, "zlib does not finish");
  out.commit(bound - stream.avail_out);
  return {};
}

// xerial's snappy-java stream: 8 bytes magic, version i32, compatible version i32, then blocks of {length i32, raw
// snappy}.
constexpr std::uint8_t kXerialMagic[8] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};
constexpr std::size_t kXerialHeader = 16;
constexpr std::size_t kXerialBlock = 32_KiB;

Result<void> unsnappy_block(ByteView block, std::size_t max_output, Buffer& out) {
  const auto* data = reinterpret_cast<const char*>(block.data());
  std::size_t size = 0;
  if (!snappy::GetUncompressedLength(data, block.size(), &size)) return fail(ErrorCode::malformed, "snappy length");
  if (size > max_output) return fail(ErrorCode::too_large, "decompressed data is over its limit");
  // A snappy element of 3 bytes makes at most 64: more than 22 times the input is a lie, seen before memory is taken
  // for it.
  if (size / 22 > block.size()) return fail(ErrorCode::malformed, "snappy length does not fit its data");
  if (!snappy::RawUncompress(data, block.size(), reinterpret_cast<char*>(out.prepare(size)))) {
    return fail(ErrorCode::malformed, "snappy data is broken or cut off");
  }
  out.commit(size);
  return {};
}

Result<void> unsnappy(ByteView input, std::size_t max_output, Buffer& out) {
  if (input.size() < kXerialHeader || !std::equal(std::begin(kXerialMagic), std::end(kXerialMagic), input.begin())) {
    return unsnappy_block(input, max_output, out);
  }
  const std::size_t start = out.size();
  input = input.subspan(kXerialHeader);
  while (!input.empty()) {
    if (input.size() < 4) return fail(ErrorCode::malformed, "snappy block length is cut off");
    const auto length = load_be<std::uint32_t>(input.data());
    input = input.subspan(4);
    if (length > input.size()) return fail(ErrorCode::malformed, "snappy block is cut off");
    MR_TRY(unsnappy_block(input.first(length), max_output - (out.size() - start), out));
    input = input.subspan(length);
  }
  return {};
}

Result<void> snappy_xerial(ByteView input, Buffer& out) {
  out.append(ByteView(kXerialMagic));
  const std::uint8_t versions[] = {0, 0, 0, 1, 0, 0, 0, 1};
  out.append(ByteView(versions));
  while (!input.empty()) {
    const ByteView block = input.first(std::min(input.size(), kXerialBlock));
    std::uint8_t* at = out.prepare(4 + snappy::MaxCompressedLength(block.size()));
    std::size_t size = 0;
    snappy::RawCompress(reinterpret_cast<const char*>(block.data()), block.size(), reinterpret_cast<char*>(at + 4),
                        &size);
    store_be(at, static_cast<std::uint32_t>(size));
    out.commit(4 + size);
    input = input.subspan(block.size());
  }
  return {};
}

Result<void> unlz4(ByteView input, std::size_t max_output, Buffer& out) {
  LZ4F_dctx* raw = nullptr;
  if (LZ4F_isError(LZ4F_createDecompressionContext(&raw, LZ4F_VERSION))) {
    return fail(ErrorCode::internal, "LZ4 does not start");
  }
  const std::unique_ptr<LZ4F_dctx, LZ4F_errorCode_t (*)(LZ4F_dctx*)> context(raw, &LZ4F_freeDecompressionContext);
  CappedOutput capped(out, max_output);
  std::size_t expected = 1;  // 0 at the end of a frame
  bool full = false;
  while (!input.empty() || full) {
    std::size_t taken = input.size();
    const std::size_t room = capped.room();
    std::size_t made = room;
    expected = LZ4F_decompress(context.get(), capped.prepare(), &made, input.data(), &taken, nullptr);
    if (LZ4F_isError(expected)) return fail(ErrorCode::malformed, "LZ4 frame is broken");
    MR_TRY(capped.commit(made));
    input = input.subspan(taken);
    full = made == room && expected != 0;
    if (taken == 0 && made == 0) break;
  }
  if (expected != 0) return fail(ErrorCode::malformed, "LZ4 frame is cut off");
  return {};
}

Result<void> lz4_frame(ByteView input, Buffer& out) {
  LZ4F_preferences_t preferences{};
  preferences.frameInfo.blockSizeID = LZ4F_max64KB;
  preferences.frameInfo.blockMode = LZ4F_blockIndependent;
  const std::size_t bound = LZ4F_compressFrameBound(input.size(), &preferences);
  const std::size_t size = LZ4F_compressFrame(out.prepare(bound), bound, input.data(), input.size(), &preferences);
  if (LZ4F_isError(size)) return fail(ErrorCode::internal, "LZ4 does not compress");
  out.commit(size);
  return {};
}

Result<void> unzstd(ByteView input, std::size_t max_output, Buffer& out) {
  const std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(), &ZSTD_freeDCtx);
  if (!context) return fail(ErrorCode::internal, "zstd does not start");
  // The window is memory that the frame header asks for: no more than the output may have, but at least the 8 MiB that
  // RFC 8878 asks every decoder to support.
  const int window = std::clamp(static_cast<int>(std::bit_width(max_output)), 23, 27);
  ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, window);
  CappedOutput capped(out, max_output);
  ZSTD_inBuffer in{input.data(), input.size(), 0};
  std::size_t expected = 1;
  bool full = false;
  while (in.pos < in.size || full) {
    const std::size_t room = capped.room();
    ZSTD_outBuffer to{capped.prepare(), room, 0};
    expected = ZSTD_decompressStream(context.get(), &to, &in);
    if (ZSTD_isError(expected)) return fail(ErrorCode::malformed, "zstd frame is broken");
    MR_TRY(capped.commit(to.pos));
    full = to.pos == room && expected != 0;
  }
  if (expected != 0) return fail(ErrorCode::malformed, "zstd frame is cut off");
  return {};
}

Result<void> zstd(ByteView input, Buffer& out) {
  const std::size_t bound = ZSTD_compressBound(input.size());
  const std::size_t size = ZSTD_compress(out.prepare(bound), bound, input.data(), input.size(), ZSTD_CLEVEL_DEFAULT);
  if (ZSTD_isError(size)) return fail(ErrorCode::internal, "zstd does not compress");
  out.commit(size);
  return {};
}

}  // namespace

Result<void> decompress(CompressionCodec codec, ByteView input, std::size_t max_output, Buffer& out) {
  switch (codec) {
    case CompressionCodec::none:
      if (input.size() > max_output) return fail(ErrorCode::too_large, "data is over its limit");
      out.append(input);
      return {};
    case CompressionCodec::gzip:
      return gunzip(input, max_output, out);
    case CompressionCodec::snappy:
      return unsnappy(input, max_output, out);
    case CompressionCodec::lz4:
      return unlz4(input, max_output, out);
    case CompressionCodec::zstd:
      return unzstd(input, max_output, out);
  }
  return fail(ErrorCode::invalid_argument, "unknown compression codec");
}

Result<void> compress(CompressionCodec codec, ByteView input, Buffer& out) {
  switch (codec) {
    case CompressionCodec::none:
      out.append(input);
      return {};
    case CompressionCodec::gzip:
      return gzip(input, out);
    case CompressionCodec::snappy:
      return snappy_xerial(input, out);
    case CompressionCodec::lz4:
      return lz4_frame(input, out);
    case CompressionCodec::zstd:
      return zstd(input, out);
  }
  return fail(ErrorCode::invalid_argument, "unknown compression codec");
}

}  // namespace millrace
