#include "codec/compression.h"

#include <gtest/gtest.h>

#include <string>

#include "base/endian.h"
#include "base/rng.h"

namespace millrace {
namespace {

constexpr CompressionCodec kAll[] = {CompressionCodec::none, CompressionCodec::gzip, CompressionCodec::snappy,
                                     CompressionCodec::lz4, CompressionCodec::zstd};
constexpr CompressionCodec kCompressing[] = {CompressionCodec::gzip, CompressionCodec::snappy, CompressionCodec::lz4,
                                             CompressionCodec::zstd};

std::string sample(std::size_t size, std::uint64_t seed) {
  Rng rng(seed);
  std::string text;
  while (text.size() < size) text += "{\"speed\":" + std::to_string(rng.below(1000)) + "},";
  text.resize(size);
  return text;
}

Buffer compressed(CompressionCodec codec, std::string_view text) {
  Buffer out;
  EXPECT_TRUE(compress(codec, as_bytes(text), out));
  return out;
}

TEST(Compression, RoundTripsAtEverySizeAndExactlyAtTheCap) {
  for (const CompressionCodec codec : kAll) {
    for (const std::size_t size : {0, 1, 100, 32'767, 32'768, 65'536, 65'537, 1'000'000}) {
      SCOPED_TRACE(std::to_string(static_cast<int>(codec)) + " size " + std::to_string(size));
      const std::string text = sample(size, size);
      const Buffer packed = compressed(codec, text);
      Buffer out;
      out.append(std::string_view("before"));
      const auto done = decompress(codec, packed.view(), size, out);
      ASSERT_TRUE(done) << done.error().message();
      EXPECT_EQ(as_text(out.view()), "before" + text);
      if (size > 0) {
        Buffer small;
        const auto refused = decompress(codec, packed.view(), size - 1, small);
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code, ErrorCode::too_large);
      }
    }
  }
}

TEST(Compression, ABombStopsAtTheCap) {
  const std::string zeros(64_MiB, '\0');
  for (const CompressionCodec codec : kCompressing) {
    SCOPED_TRACE(static_cast<int>(codec));
    const Buffer bomb = compressed(codec, zeros);
    EXPECT_LT(bomb.size(), zeros.size() / 20);
    Buffer out;
    const auto refused = decompress(codec, bomb.view(), 1_MiB, out);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::too_large);
    EXPECT_LE(out.capacity(), 3_MiB);
  }
}

TEST(Compression, ALieAboutTheSizeTakesNoMemory) {
  // Raw snappy that declares 1 GiB and holds one literal.
  const std::uint8_t lie[] = {0x80, 0x80, 0x80, 0x80, 0x04, 0x00, 'a'};
  Buffer out;
  const auto refused = decompress(CompressionCodec::snappy, ByteView(lie), 2_GiB, out);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::malformed);
  EXPECT_EQ(out.capacity(), 0U);
}

TEST(Compression, EveryTruncationIsRefused) {
  const std::string text = sample(3000, 5);
  for (const CompressionCodec codec : kCompressing) {
    const Buffer packed = compressed(codec, text);
    for (std::size_t size = 0; size < packed.size(); ++size) {
      // The snappy header alone is a complete empty stream.
      if (codec == CompressionCodec::snappy && size == 16) continue;
      Buffer out;
      EXPECT_FALSE(decompress(codec, packed.view(0, size), 1_MiB, out))
          << static_cast<int>(codec) << " cut at " << size;
    }
  }
}

TEST(Compression, FlippedBytesNeverOverrunTheCap) {
  Rng rng(11);
  const std::string text = sample(20'000, 6);
  for (const CompressionCodec codec : kCompressing) {
    for (int round = 0; round < 300; ++round) {
      Buffer packed = compressed(codec, text);
      for (int flips = 0; flips < 3; ++flips)
        packed.data()[rng.below(packed.size())] ^= static_cast<std::uint8_t>(rng());
      Buffer out;
      (void)decompress(codec, packed.view(), 100'000, out);
      EXPECT_LE(out.size(), 100'001U);
    }
  }
}

TEST(Compression, RawSnappyAndSeriesOfFramesAreRead) {
  // Raw snappy of "aaaaaaaaaaaaaaaaaaaa": length 20, literal "a", copy of 19 bytes at distance 1.
  const std::uint8_t raw[] = {20, 0x00, 'a', ((19 - 1) << 2) | 2, 1, 0};
  Buffer out;
  ASSERT_TRUE(decompress(CompressionCodec::snappy, ByteView(raw), 100, out));
  EXPECT_EQ(as_text(out.view()), std::string(20, 'a'));
  for (const CompressionCodec codec : {CompressionCodec::gzip, CompressionCodec::lz4, CompressionCodec::zstd}) {
    Buffer both = compressed(codec, "first ");
    both.append(compressed(codec, "second").view());
    Buffer joined;
    const auto done = decompress(codec, both.view(), 100, joined);
    ASSERT_TRUE(done) << done.error().message();
    EXPECT_EQ(as_text(joined.view()), "first second");
  }
}

}  // namespace
}  // namespace millrace
