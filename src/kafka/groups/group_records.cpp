#include "kafka/groups/group_records.h"

#include "base/byte_reader.h"
#include "base/byte_writer.h"

namespace millrace::kafka {
namespace {

constexpr std::int16_t kOffsetKeyVersion = 1;
constexpr std::int16_t kGroupKeyVersion = 2;
constexpr std::int16_t kOffsetValueVersion = 3;
constexpr std::int16_t kOffsetValueWithExpiry = 1;
constexpr std::int16_t kGroupValueVersion = 3;
constexpr std::int16_t kLastPlainVersion = 3;  // later ones are flexible

// Kafka's primitive types in a std::string, which is what records of a coordinator are made of.
class Text {
 public:
  template <std::integral T>
  Text& be(T value) {
    std::array<std::uint8_t, sizeof(T)> bytes{};
    store_be(bytes.data(), value);
    text_.append(as_text(bytes));
    return *this;
  }
  Text& string(std::string_view value) {
    be(static_cast<std::int16_t>(value.size()));
    text_.append(value);
    return *this;
  }
  Text& nullable(const std::optional<std::string>& value) { return value ? string(*value) : be(std::int16_t{-1}); }
  Text& bytes(std::string_view value) {
    be(static_cast<std::int32_t>(value.size()));
    text_.append(value);
    return *this;
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

std::string read_string(ByteReader& in) {
  const auto size = in.be<std::int16_t>();
  if (size < 0) {
    in.fail();
    return {};
  }
  return std::string(in.text(static_cast<std::size_t>(size)));
}

std::optional<std::string> read_nullable(ByteReader& in) {
  const auto size = in.be<std::int16_t>();
  if (size < 0) return std::nullopt;
  return std::string(in.text(static_cast<std::size_t>(size)));
}

std::string read_bytes(ByteReader& in) {
  const auto size = in.be<std::int32_t>();
  if (size < 0) return {};
  return std::string(in.text(static_cast<std::size_t>(size)));
}

std::string offset_key(std::string_view group, const GroupPartition& partition) {
  return Text().be(kOffsetKeyVersion).string(group).string(partition.topic).be(partition.partition).take();
}
std::string group_key(std::string_view group) {
  return Text().be(kGroupKeyVersion).string(group).take();
}

StoredMember read_member(ByteReader& in, std::int16_t version) {
  StoredMember member;
  member.id = read_string(in);
  if (version >= 3) member.instance_id = read_nullable(in);
  member.client_id = read_string(in);
  member.client_host = read_string(in);
  if (version >= 1) member.rebalance_timeout_ms = in.be<std::int32_t>();
  member.session_timeout_ms = in.be<std::int32_t>();
  if (version == 0) member.rebalance_timeout_ms = member.session_timeout_ms;
  member.subscription = read_bytes(in);
  member.assignment = read_bytes(in);
  return member;
}

// Code points of UTF-8, one by one; a byte that is none counts as itself, so that any name has a hash.
char32_t next_code_point(std::string_view text, std::size_t& at) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t first = byte(at++);
  std::size_t more = 0;
  if (first >= 0xF0) {
    more = 3;
  } else if (first >= 0xE0) {
    more = 2;
  } else if (first >= 0xC0) {
    more = 1;
  }
  if (more == 0 || at + more > text.size()) return first;
  auto point = static_cast<char32_t>(first & (0x3FU >> more));
  for (std::size_t i = 0; i < more; ++i) point = (point << 6U) | (byte(at++) & 0x3FU);
  return point;
}

std::int32_t java_hash(std::string_view text) {
  std::uint32_t hash = 0;
  const auto add = [&hash](std::uint32_t unit) { hash = hash * 31 + unit; };
  for (std::size_t at = 0; at < text.size();) {
    const char32_t point = next_code_point(text, at);
    if (point < 0x10000) {
      add(point);
    } else {  // a surrogate pair
      add(0xD800U + ((point - 0x10000U) >> 10U));
      add(0xDC00U + ((point - 0x10000U) & 0x3FFU));
    }
  }
  return static_cast<std::int32_t>(hash);
}

}  // namespace

GroupRecord offset_record(std::string_view group, const GroupPartition& partition, const StoredOffset& offset) {
  Text value;
  if (offset.expire_time_ms) {
    value.be(kOffsetValueWithExpiry).be(offset.offset.offset).string(offset.offset.metadata);
    value.be(offset.commit_time_ms).be(*offset.expire_time_ms);
  } else {
    value.be(kOffsetValueVersion).be(offset.offset.offset).be(offset.offset.leader_epoch);
    value.string(offset.offset.metadata).be(offset.commit_time_ms);
  }
  return {offset_key(group, partition), value.take()};
}

GroupRecord offset_tombstone(std::string_view group, const GroupPartition& partition) {
  return {offset_key(group, partition), std::nullopt};
}

GroupRecord group_record(std::string_view group, const StoredGroup& stored) {
  Text value;
  value.be(kGroupValueVersion).string(stored.protocol_type).be(stored.generation);
  value.nullable(stored.protocol).nullable(stored.leader).be(stored.state_time_ms);
  value.be(static_cast<std::int32_t>(stored.members.size()));
  for (const StoredMember& member : stored.members) {
    value.string(member.id).nullable(member.instance_id).string(member.client_id).string(member.client_host);
    value.be(member.rebalance_timeout_ms).be(member.session_timeout_ms);
    value.bytes(member.subscription).bytes(member.assignment);
  }
  return {group_key(group), value.take()};
}

GroupRecord group_tombstone(std::string_view group) {
  return {group_key(group), std::nullopt};
}

Result<GroupRecordKey> parse_group_key(ByteView key) {
  ByteReader in(key);
  const auto version = in.be<std::int16_t>();
  GroupRecordKey parsed = OtherKey{};
  if (version == 0 || version == kOffsetKeyVersion) {
    OffsetKey offset;
    offset.group = read_string(in);
    offset.partition.topic = read_string(in);
    offset.partition.partition = in.be<std::int32_t>();
    parsed = std::move(offset);
  } else if (version == kGroupKeyVersion) {
    parsed = GroupKey{read_string(in)};
  }
  if (!in.ok()) return fail(ErrorCode::malformed, "key of a group record");
  return parsed;
}

Result<StoredOffset> parse_offset_value(ByteView value) {
  ByteReader in(value);
  const auto version = in.be<std::int16_t>();
  if (version < 0 || version > kLastPlainVersion) return fail(ErrorCode::unsupported_version, "committed offset");
  StoredOffset stored;
  stored.offset.offset = in.be<std::int64_t>();
  if (version >= 3) stored.offset.leader_epoch = in.be<std::int32_t>();
  stored.offset.metadata = read_string(in);
  stored.commit_time_ms = in.be<std::int64_t>();
  if (version == kOffsetValueWithExpiry) {
    const auto expires = in.be<std::int64_t>();
    if (expires >= 0) stored.expire_time_ms = expires;
  }
  if (!in.ok()) return fail(ErrorCode::malformed, "committed offset");
  return stored;
}

Result<StoredGroup> parse_group_value(ByteView value) {
  ByteReader in(value);
  const auto version = in.be<std::int16_t>();
  if (version < 0 || version > kLastPlainVersion) return fail(ErrorCode::unsupported_version, "group metadata");
  StoredGroup stored;
  stored.protocol_type = read_string(in);
  stored.generation = in.be<std::int32_t>();
  stored.protocol = read_nullable(in);
  stored.leader = read_nullable(in);
  if (version >= 2) stored.state_time_ms = in.be<std::int64_t>();
  const auto count = in.be<std::int32_t>();
  constexpr std::size_t kSmallestMember = 18;
  if (count < 0 || !in.fits(static_cast<std::uint64_t>(count), kSmallestMember)) in.fail();
  for (std::int32_t i = 0; i < count && in.ok(); ++i) stored.members.push_back(read_member(in, version));
  if (!in.ok()) return fail(ErrorCode::malformed, "group metadata");
  return stored;
}

std::int32_t offsets_partition(std::string_view group, std::int32_t partitions) {
  const std::int32_t hash = java_hash(group);
  const std::int32_t positive = hash == std::numeric_limits<std::int32_t>::min() ? 0 : std::abs(hash);
  return positive % partitions;
}

}  // namespace millrace::kafka
