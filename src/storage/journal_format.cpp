#include "storage/journal_format.h"

#include <algorithm>
#include <bit>

#include "base/byte_writer.h"
#include "codec/crc32c.h"
#include "model/record_batch.h"

namespace millrace::storage {
namespace {

constexpr char kMagic[] = "MRJGROUP";
constexpr std::size_t kCrcFrom = 16;

enum class EntryType : std::uint8_t { append = 1, create = 2, remove = 3, configure = 4, trim = 5, producer_ids = 6 };

constexpr std::size_t kEntryHead = 8;  // type u8, three zero bytes, partition id u32

void head(ByteWriter& out, EntryType type, PartitionId partition) {
  out.u8(static_cast<std::uint8_t>(type));
  out.u8(0);
  out.le(std::uint16_t{0});
  out.le(partition.value());
}

// Flags of a config; the last says that a part follows which older data does not have.
constexpr std::uint8_t kLogAppendTime = 1;
constexpr std::uint8_t kCompact = 2;
constexpr std::uint8_t kDeleteOld = 4;
constexpr std::uint8_t kMore = 8;

void encode_more(ByteWriter& out, const LogConfig& config) {
  out.le(config.segment_jitter_ms);
  out.le(config.segment_index_bytes);
  out.le(config.flush_ms);
  out.le(config.delete_retention_ms);
  out.le(config.min_compaction_lag_ms);
  out.le(config.max_compaction_lag_ms);
  out.le(std::bit_cast<std::uint64_t>(config.min_cleanable_dirty_ratio));
  out.le(config.timestamp_before_max_ms);
  out.le(config.timestamp_after_max_ms);
  out.u8(static_cast<std::uint8_t>(config.compression));
  out.u8(static_cast<std::uint8_t>(config.disk_full));
}

void decode_more(ByteReader& in, LogConfig& config) {
  config.segment_jitter_ms = in.le<std::int64_t>();
  config.segment_index_bytes = in.le<std::int32_t>();
  config.flush_ms = in.le<std::int64_t>();
  config.delete_retention_ms = in.le<std::int64_t>();
  config.min_compaction_lag_ms = in.le<std::int64_t>();
  config.max_compaction_lag_ms = in.le<std::int64_t>();
  config.min_cleanable_dirty_ratio = std::bit_cast<double>(in.le<std::uint64_t>());
  config.timestamp_before_max_ms = in.le<std::int64_t>();
  config.timestamp_after_max_ms = in.le<std::int64_t>();
  const std::uint8_t compression = in.u8();
  const std::uint8_t disk_full = in.u8();
  const bool ratio_good = config.min_cleanable_dirty_ratio >= 0 && config.min_cleanable_dirty_ratio <= 1;
  if (compression > static_cast<std::uint8_t>(StoredCompression::zstd) ||
      disk_full > static_cast<std::uint8_t>(DiskFullPolicy::delete_oldest) || !ratio_good) {
    return in.fail();
  }
  config.compression = static_cast<StoredCompression>(compression);
  config.disk_full = static_cast<DiskFullPolicy>(disk_full);
}

// Nothing follows the flags when what would follow is all default.
bool has_more(const LogConfig& config) {
  Buffer mine;
  Buffer builtin;
  ByteWriter out(mine);
  encode_more(out, config);
  ByteWriter reference(builtin);
  encode_more(reference, LogConfig{});
  return !std::ranges::equal(mine.view(), builtin.view());
}

void encode_config(ByteWriter& out, const LogConfig& config) {
  out.le(config.retention_ms);
  out.le(config.retention_bytes);
  out.le(config.segment_bytes);
  out.le(config.segment_ms);
  out.le(config.index_interval_bytes);
  out.le(config.max_message_bytes);
  out.le(config.flush_messages);
  out.le(config.file_delete_delay_ms);
  const bool more = has_more(config);
  out.u8(static_cast<std::uint8_t>((config.log_append_time ? kLogAppendTime : 0U) | (config.compact ? kCompact : 0U) |
                                   (config.delete_old ? kDeleteOld : 0U) | (more ? kMore : 0U)));
  if (more) encode_more(out, config);
}

LogConfig decode_config(ByteReader& in) {
  LogConfig config;
  config.retention_ms = in.le<std::int64_t>();
  config.retention_bytes = in.le<std::int64_t>();
  config.segment_bytes = in.le<std::int64_t>();
  config.segment_ms = in.le<std::int64_t>();
  config.index_interval_bytes = in.le<std::int32_t>();
  config.max_message_bytes = in.le<std::int32_t>();
  config.flush_messages = in.le<std::int64_t>();
  config.file_delete_delay_ms = in.le<std::int64_t>();
  const std::uint8_t flags = in.u8();
  if (flags > (kLogAppendTime | kCompact | kDeleteOld | kMore)) in.fail();
  config.log_append_time = (flags & kLogAppendTime) != 0;
  config.compact = (flags & kCompact) != 0;
  config.delete_old = (flags & kDeleteOld) != 0;
  if ((flags & kMore) != 0) decode_more(in, config);
  return config;
}

void encode_text(ByteWriter& out, std::string_view text) {
  out.le(static_cast<std::uint32_t>(text.size()));
  out.text(text);
}

std::string decode_text(ByteReader& in) {
  return std::string(in.text(in.le<std::uint32_t>()));
}

}  // namespace

void encode_spec(Buffer& buffer, const PartitionSpec& spec) {
  ByteWriter out(buffer);
  encode_text(out, spec.name.topic);
  out.le(spec.name.partition.value());
  out.bytes(spec.topic_id.bytes);
  encode_config(out, spec.config);
  encode_text(out, spec.properties);
}

Result<PartitionSpec> decode_spec(ByteReader& in) {
  PartitionSpec spec;
  spec.name.topic = decode_text(in);
  spec.name.partition = PartitionIndex(in.le<std::int32_t>());
  const ByteView id = in.bytes(spec.topic_id.bytes.size());
  if (in.ok()) std::memcpy(spec.topic_id.bytes.data(), id.data(), id.size());
  spec.config = decode_config(in);
  spec.properties = decode_text(in);
  // The name becomes a path: a name that a client could not have created must not reach the file system.
  if (!in.ok() || !is_valid_topic_name(spec.name.topic) || spec.name.partition.value() < 0) {
    return fail(ErrorCode::malformed, "partition description");
  }
  return spec;
}

void GroupEncoder::clear() {
  buffer_.resize(kGroupHeaderSize);
  entries_ = 0;
  payload_bytes_ = 0;
}

void GroupEncoder::add_append(const AppendEntry& entry) {
  ByteWriter out(buffer_);
  head(out, EntryType::append, entry.partition);
  out.le(entry.base_offset.value());
  out.le(entry.size);
  out.le(entry.crc);
  ++entries_;
  payload_bytes_ += entry.size;
}

void GroupEncoder::add(const JournalEntry& entry) {
  if (const auto* append = std::get_if<AppendEntry>(&entry)) return add_append(*append);
  ByteWriter out(buffer_);
  if (const auto* create = std::get_if<CreateEntry>(&entry)) {
    head(out, EntryType::create, create->partition);
    encode_spec(buffer_, create->spec);
  } else if (const auto* removal = std::get_if<DeleteEntry>(&entry)) {
    head(out, EntryType::remove, removal->partition);
  } else if (const auto* configure = std::get_if<ConfigureEntry>(&entry)) {
    head(out, EntryType::configure, configure->partition);
    encode_config(out, configure->config);
    encode_text(out, configure->properties);
  } else if (const auto* trim = std::get_if<TrimEntry>(&entry)) {
    head(out, EntryType::trim, trim->partition);
    out.le(trim->log_start.value());
  } else if (const auto* ids = std::get_if<ProducerIdsEntry>(&entry)) {
    head(out, EntryType::producer_ids, PartitionId(0));
    out.le(ids->next.value());
  }
  ++entries_;
}

ByteView GroupEncoder::finish(std::uint64_t salt, Generation generation, GroupSequence sequence, std::int64_t wall_ms) {
  std::uint8_t* at = buffer_.data();
  std::copy_n(kMagic, 8, at);
  store_le(at + 8, kJournalVersion);
  store_le(at + 10, std::uint16_t{0});
  store_le(at + 16, salt);
  store_le(at + 24, generation.value());
  store_le(at + 32, sequence.value());
  store_le(at + 40, wall_ms);
  store_le(at + 48, entries_);
  store_le(at + 52, static_cast<std::uint32_t>(buffer_.size() - kGroupHeaderSize));
  store_le(at + 56, payload_bytes_);
  store_le(at + 12, crc32c(buffer_.view().subspan(kCrcFrom)));
  return buffer_.view();
}

Result<GroupHeader> parse_group_header(ByteView bytes, std::uint64_t room) {
  if (bytes.size() < kGroupHeaderSize || std::memcmp(bytes.data(), kMagic, 8) != 0) {
    return fail(ErrorCode::malformed, "no journal group");
  }
  ByteReader in(bytes.subspan(8));
  const auto version = in.le<std::uint16_t>();
  const auto flags = in.le<std::uint16_t>();
  in.skip(4);
  GroupHeader header;
  header.salt = in.le<std::uint64_t>();
  header.generation = Generation(in.le<std::uint64_t>());
  header.sequence = GroupSequence(in.le<std::uint64_t>());
  header.wall_ms = in.le<std::int64_t>();
  header.entry_count = in.le<std::uint32_t>();
  header.table_bytes = in.le<std::uint32_t>();
  header.payload_bytes = in.le<std::uint64_t>();
  // Sums are safe: each part is compared with the room before it is added.
  if (header.table_bytes > room || header.payload_bytes > room || header.total_bytes() > room) {
    return fail(ErrorCode::malformed, "journal group reaches past its file");
  }
  if (version != kJournalVersion || flags != 0) {
    return fail(ErrorCode::unsupported_version, "journal group of another format version");
  }
  return header;
}

bool group_crc_matches(const GroupHeader& header, ByteView bytes) {
  const std::size_t end = kGroupHeaderSize + header.table_bytes;
  return bytes.size() >= end &&
         load_le<std::uint32_t>(bytes.data() + 12) == crc32c(bytes.subspan(kCrcFrom, end - kCrcFrom));
}

Result<std::vector<JournalEntry>> parse_group_table(const GroupHeader& header, ByteView table) {
  ByteReader in(table);
  if (!in.fits(header.entry_count, kEntryHead)) return fail(ErrorCode::malformed, "journal entry count");
  std::vector<JournalEntry> entries;
  entries.reserve(header.entry_count);
  std::uint64_t payload = 0;
  for (std::uint32_t i = 0; i < header.entry_count; ++i) {
    const auto type = static_cast<EntryType>(in.u8());
    if (in.u8() != 0 || in.le<std::uint16_t>() != 0) return fail(ErrorCode::malformed, "journal entry");
    const PartitionId partition(in.le<std::uint32_t>());
    switch (type) {
      case EntryType::append: {
        AppendEntry entry;
        entry.partition = partition;
        entry.base_offset = Offset(in.le<std::int64_t>());
        entry.size = in.le<std::uint32_t>();
        entry.crc = in.le<std::uint32_t>();
        payload += entry.size;
        entries.emplace_back(entry);
        break;
      }
      case EntryType::create: {
        MR_TRY_ASSIGN(PartitionSpec spec, decode_spec(in));
        entries.emplace_back(CreateEntry{partition, std::move(spec)});
        break;
      }
      case EntryType::remove:
        entries.emplace_back(DeleteEntry{partition});
        break;
      case EntryType::configure: {
        ConfigureEntry entry{.partition = partition, .config = decode_config(in), .properties = {}};
        entry.properties = decode_text(in);
        entries.emplace_back(std::move(entry));
        break;
      }
      case EntryType::trim:
        entries.emplace_back(TrimEntry{partition, Offset(in.le<std::int64_t>())});
        break;
      case EntryType::producer_ids:
        entries.emplace_back(ProducerIdsEntry{ProducerId(in.le<std::int64_t>())});
        break;
      default:
        return fail(ErrorCode::malformed, "journal entry type");
    }
    if (!in.ok()) return fail(ErrorCode::malformed, "journal entry is cut short");
  }
  if (in.remaining() != 0 || payload != header.payload_bytes) return fail(ErrorCode::malformed, "journal entry table");
  return entries;
}

Result<void> check_batch(const AppendEntry& entry, ByteView batch, bool accept_bad_crc) {
  MR_TRY_ASSIGN(const BatchHeader header, parse_batch_header(batch));
  if (header.size_bytes() != entry.size || batch.size() != entry.size) {
    return fail(ErrorCode::malformed, "record batch length differs from its journal entry");
  }
  if (header.base_offset != entry.base_offset || header.leader_epoch.value() != 0 || header.crc != entry.crc) {
    return fail(ErrorCode::malformed, "record batch differs from its journal entry");
  }
  if (!accept_bad_crc && !batch_crc_matches(batch))
    return fail(ErrorCode::malformed, "record batch CRC does not match");
  return {};
}

}  // namespace millrace::storage
