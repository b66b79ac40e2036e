#include "storage/format_file.h"

#include <fmt/format.h>

#include <charconv>

#include "codec/crc32c.h"
#include "storage/durable_file.h"

namespace millrace::storage {
namespace {

constexpr std::size_t kLimit = 4096;

std::unexpected<Error> damaged(const char* what) {
  return fail(ErrorCode::corrupt, "data directory's format file is damaged", std::string("format: ") + what);
}

// Takes "<word> <rest>\n" off the front of `text`.
bool take_line(std::string_view& text, std::string_view word, std::string_view& rest) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos || !text.starts_with(word) || word.size() >= end || text[word.size()] != ' ')
    return false;
  rest = text.substr(word.size() + 1, end - word.size() - 1);
  text.remove_prefix(end + 1);
  return true;
}

template <class T>
bool to_number(std::string_view text, T& value, int base = 10) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return result.ec == std::errc{} && result.ptr == text.data() + text.size();
}

bool to_uuid(std::string_view text, Uuid& uuid) {
  static constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::uint32_t bits = 0;
  unsigned count = 0;
  std::size_t out = 0;
  for (const char c : text) {
    const std::size_t digit = kAlphabet.find(c);
    if (digit == std::string_view::npos) return false;
    bits = (bits << 6U) | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count >= 8) {
      count -= 8;
      if (out == uuid.bytes.size()) return false;
      uuid.bytes[out++] = static_cast<std::uint8_t>(bits >> count);
    }
  }
  return out == uuid.bytes.size() && uuid.to_string() == text;
}

}  // namespace

std::string encode_format(const DirectoryFormat& format) {
  std::string text = fmt::format("millrace data directory\nversion {}\nfeatures -\ncluster {}\nsalt {:016x}\n",
                                 kDirectoryVersion, format.cluster_id.to_string(), format.salt);
  text += fmt::format("crc32c {:08x}\n", crc32c(as_bytes(text)));
  return text;
}

Result<DirectoryFormat> parse_format(std::string_view text) {
  const std::string_view all = text;
  // The checksum is the last line whatever a later version puts before it.
  const std::size_t crc_at = all.rfind("crc32c ");
  if (crc_at == std::string_view::npos || crc_at == 0 || all[crc_at - 1] != '\n') return damaged("no checksum");
  std::string_view tail = all.substr(crc_at);
  std::string_view value;
  std::uint32_t crc = 0;
  if (!take_line(tail, "crc32c", value) || !tail.empty() || value.size() != 8 || !to_number(value, crc, 16) ||
      crc != crc32c(as_bytes(all.substr(0, crc_at))) || value != fmt::format("{:08x}", crc)) {
    return damaged("checksum does not match");
  }
  if (!take_line(text, "millrace data", value) || value != "directory") return damaged("first line");
  int version = 0;
  if (!take_line(text, "version", value) || !to_number(value, version)) return damaged("version");
  if (version != kDirectoryVersion) {
    return fail(
        ErrorCode::unsupported_version, "data directory was written by a newer millrace",
        fmt::format(
            "its format is version {}, this build reads version {}: start the newer millrace again, or restore a "
            "backup made before the upgrade",
            version, kDirectoryVersion));
  }
  if (!take_line(text, "features", value)) return damaged("features");
  if (value != "-") {
    return fail(ErrorCode::unsupported_version, "data directory uses features this millrace does not know",
                fmt::format("features {}: start the millrace that wrote it", value));
  }
  DirectoryFormat format;
  if (!take_line(text, "cluster", value) || !to_uuid(value, format.cluster_id)) return damaged("cluster");
  if (!take_line(text, "salt", value) || value.size() != 16 || !to_number(value, format.salt, 16))
    return damaged("salt");
  if (text.size() != all.size() - crc_at) return damaged("unknown line");
  return format;
}

Result<DirectoryFormat> load_format(io::FileSystem& files) {
  Result<std::string> text = read_whole(files, kFormatPath, kLimit);
  if (!text && text.error().code == ErrorCode::too_large) return damaged("too long");
  if (!text) return std::unexpected(text.error());
  return parse_format(*text);
}

Result<void> store_format(io::FileSystem& files, const DirectoryFormat& format, const SeededBugs& bugs) {
  return replace_durably(files, kFormatPath, as_bytes(encode_format(format)), bugs);
}

}  // namespace millrace::storage
