// The bytes of one journal group: header, entry table, record batches, zero padding to 4 KiB (docs/formats/journal.md).
//
//   offset bytes field (little-endian)
//        0     8  magic "MRJGROUP"
//        8     2  format version = 1
//       10     2  flags = 0
//       12     4  crc32c of bytes 16 to the end of the entry table
//       16     8  salt of the data directory (secret, so that no payload can imitate a group)
//       24     8  generation: the life of the file, equal to its name
//       32     8  sequence number, consecutive over all files
//       40     8  wall time of the commit, ms
//       48     4  entry count
//       52     4  bytes of the entry table
//       56     8  bytes of the batches behind it
//       64        entry table, then the batches of the append entries in the same order, then zeros
//
// The table repeats what a batch's own CRC does not cover, so table CRC and batch CRCs together cover every byte and a
// commit hashes no payload. Thread: any (values only).
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/buffer.h"
#include "base/byte_reader.h"
#include "base/result.h"
#include "storage/log.h"

namespace millrace::storage {

using PartitionId = StrongId<struct PartitionIdTag, std::uint32_t>;  // never reused within a data directory
using Generation = StrongId<struct GenerationTag, std::uint64_t>;    // one life of a journal file
using GroupSequence = StrongId<struct GroupSequenceTag, std::uint64_t>;

inline constexpr std::size_t kJournalBlock = 4_KiB;
inline constexpr std::size_t kGroupHeaderSize = 64;
inline constexpr std::uint16_t kJournalVersion = 1;

[[nodiscard]] constexpr std::uint64_t round_to_block(std::uint64_t bytes) {
  return (bytes + kJournalBlock - 1) / kJournalBlock * kJournalBlock;
}

struct GroupHeader {
  std::uint64_t salt = 0;
  Generation generation;
  GroupSequence sequence;
  std::int64_t wall_ms = 0;
  std::uint32_t entry_count = 0;
  std::uint32_t table_bytes = 0;
  std::uint64_t payload_bytes = 0;
  /// Bytes that the group takes in the file.
  [[nodiscard]] std::uint64_t total_bytes() const {
    return round_to_block(kGroupHeaderSize + table_bytes + payload_bytes);
  }
};

struct AppendEntry {
  PartitionId partition;
  Offset base_offset;
  std::uint32_t size = 0;  // of the batch, its first 12 bytes included
  std::uint32_t crc = 0;   // the batch's own
};
struct CreateEntry {
  PartitionId partition;
  PartitionSpec spec;
};
struct DeleteEntry {
  PartitionId partition;
};
struct ConfigureEntry {
  PartitionId partition;
  LogConfig config;
  std::string properties;
};
struct TrimEntry {
  PartitionId partition;
  Offset log_start;
};
/// All ids below `next` may have been handed out.
struct ProducerIdsEntry {
  ProducerId next;
};
using JournalEntry = std::variant<AppendEntry, CreateEntry, DeleteEntry, ConfigureEntry, TrimEntry, ProducerIdsEntry>;

/// Collects the entry table of one group behind room for the header; reusable.
class GroupEncoder {
 public:
  void clear();
  void add(const JournalEntry& entry);
  void add_append(const AppendEntry& entry);
  [[nodiscard]] bool empty() const { return entries_ == 0; }
  [[nodiscard]] std::uint64_t payload_bytes() const { return payload_bytes_; }
  [[nodiscard]] std::uint64_t total_bytes() const { return round_to_block(buffer_.size() + payload_bytes_); }
  /// Fills in the header and returns header and table; the batches follow in the file. Valid until clear() or add().
  ByteView finish(std::uint64_t salt, Generation generation, GroupSequence sequence, std::int64_t wall_ms);

 private:
  Buffer buffer_;
  std::uint32_t entries_ = 0;
  std::uint64_t payload_bytes_ = 0;
};

/// Header fields of the 64 bytes at the front; magic, version, flags and sizes are checked (against `room`, the bytes
/// from here to the end of the file), the CRC is not: it needs the table. malformed: no group here.
/// unsupported_version: a newer group.
Result<GroupHeader> parse_group_header(ByteView bytes, std::uint64_t room);
/// True when the CRC over header and table matches. `bytes` begins with the header and holds the table.
[[nodiscard]] bool group_crc_matches(const GroupHeader& header, ByteView bytes);
/// Decodes the table of a group whose CRC matched. malformed when it does not parse.
Result<std::vector<JournalEntry>> parse_group_table(const GroupHeader& header, ByteView table);
/// malformed with the reason unless `batch` is exactly the batch that `entry` names, CRC included.
Result<void> check_batch(const AppendEntry& entry, ByteView batch, bool accept_bad_crc = false);

/// Configuration and names, as journal and checkpoint hold them.
void encode_spec(Buffer& out, const PartitionSpec& spec);
Result<PartitionSpec> decode_spec(ByteReader& in);

}  // namespace millrace::storage
