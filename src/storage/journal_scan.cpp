#include "storage/journal_scan.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace::storage {
namespace {

bool is_absent(const Error& error) {
  return error.code == ErrorCode::malformed || error.code == ErrorCode::unsupported_version;
}

// Position of a group numbered above `sequence` in `reader` from `at` on.
Result<std::optional<std::uint64_t>> find_later(JournalFileReader& reader, std::uint64_t at, GroupSequence sequence) {
  while (at + kGroupHeaderSize <= reader.size()) {
    const auto header = reader.header(at);
    if (!header && !is_absent(header.error())) return std::unexpected(header.error());
    if (header && header->sequence > sequence) return at;
    at += header ? header->total_bytes() : kJournalBlock;
  }
  return std::nullopt;
}

}  // namespace

Result<std::unique_ptr<JournalFileReader>> JournalFileReader::open(io::FileSystem& files, Generation name,
                                                                   std::uint64_t salt) {
  MR_TRY_ASSIGN(auto file, files.open(journal_path(name), io::OpenMode::read_only));
  MR_TRY_ASSIGN(const std::uint64_t size, file->size());
  return std::unique_ptr<JournalFileReader>(new JournalFileReader(std::move(file), name, salt, size));
}

Result<GroupHeader> JournalFileReader::header(std::uint64_t offset, const SeededBugs& bugs) {
  MR_TRY_ASSIGN(ByteView bytes, window_.at(offset, kGroupHeaderSize));
  MR_TRY_ASSIGN(const GroupHeader header, parse_group_header(bytes, size() - offset));
  if (header.salt != salt_ || (header.generation != name_ && !bugs.ignore_generation)) {
    return fail(ErrorCode::malformed, "journal group of an older life");
  }
  MR_TRY_ASSIGN(bytes, window_.at(offset, kGroupHeaderSize + header.table_bytes));
  if (!group_crc_matches(header, bytes)) return fail(ErrorCode::malformed, "journal group's checksum does not match");
  return header;
}

Result<JournalGroup> JournalFileReader::group(std::uint64_t offset, const SeededBugs& bugs) {
  JournalGroup group;
  MR_TRY_ASSIGN(group.header, header(offset, bugs));
  const auto size = static_cast<std::size_t>(kGroupHeaderSize + group.header.table_bytes + group.header.payload_bytes);
  MR_TRY_ASSIGN(const ByteView bytes, window_.at(offset, size));
  if (bytes.size() < size) return fail(ErrorCode::malformed, "journal file ends inside a group");
  MR_TRY_ASSIGN(group.entries,
                parse_group_table(group.header, bytes.subspan(kGroupHeaderSize, group.header.table_bytes)));
  group.payload = bytes.subspan(kGroupHeaderSize + group.header.table_bytes);
  std::size_t at = 0;
  for (const JournalEntry& entry : group.entries) {
    const auto* append = std::get_if<AppendEntry>(&entry);
    if (append == nullptr) continue;
    MR_TRY(check_batch(*append, group.payload.subspan(at, append->size), bugs.accept_bad_crc));
    at += append->size;
  }
  return group;
}

Result<bool> JournalFileReader::padding_is_zero(std::uint64_t offset, const GroupHeader& header) {
  const std::uint64_t content = kGroupHeaderSize + header.table_bytes + header.payload_bytes;
  const auto count = static_cast<std::size_t>(header.total_bytes() - content);
  MR_TRY_ASSIGN(const ByteView bytes, window_.at(offset + content, count));
  return bytes.size() == count && std::ranges::all_of(bytes, [](std::uint8_t byte) { return byte == 0; });
}

std::vector<JournalFile> JournalScan::for_start() const {
  std::vector<JournalFile> found;
  for (const std::size_t i : live) found.push_back({files[i]->name(), files[i]->size(), true});
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (std::ranges::find(live, i) == live.end()) found.push_back({files[i]->name(), files[i]->size(), false});
  }
  return found;
}

Result<std::vector<JournalFile>> list_journal(io::FileSystem& files, Generation live) {
  std::vector<JournalFile> found;
  MR_TRY_ASSIGN(const auto names, files.list(kJournalDirectory));
  for (const std::string& name : names) {
    const auto generation = parse_journal_name(name);
    if (!generation) continue;
    MR_TRY_ASSIGN(const std::uint64_t size, files.file_size(journal_path(*generation)));
    found.push_back({*generation, size, *generation == live});
  }
  return found;
}

Result<JournalScan> scan_journal(io::FileSystem& files, std::uint64_t salt, const JournalPosition& from,
                                 const SeededBugs& bugs, const JournalVisitor& visit, JournalDamage* damage) {
  JournalScan scan;
  scan.next = from.sequence;
  MR_TRY_ASSIGN(const auto names, files.list(kJournalDirectory));
  std::map<GroupSequence, std::size_t> starts;  // first group of a life -> file
  std::vector<std::optional<GroupSequence>> first_groups;
  std::optional<std::size_t> file;
  for (const std::string& name : names) {
    const auto generation = parse_journal_name(name);
    if (!generation) continue;
    MR_TRY_ASSIGN(auto reader, JournalFileReader::open(files, *generation, salt));
    const auto first = reader->header(0);
    if (!first && !is_absent(first.error())) return std::unexpected(first.error());
    first_groups.push_back(first ? std::optional(first->sequence) : std::nullopt);
    if (first) starts[first->sequence] = scan.files.size();
    if (*generation == from.generation) file = scan.files.size();
    scan.files.push_back(std::move(reader));
  }
  if (from.generation == Generation(0)) {
    // A directory that never had a checkpoint of its own: the first group begins a file.
    const auto start = starts.find(from.sequence);
    if (start != starts.end()) file = start->second;
  } else if (!file) {
    if (damage != nullptr) *damage = {journal_path(from.generation), 0};
    return fail(ErrorCode::corrupt, "journal file is missing", files.describe(journal_path(from.generation)));
  }

  std::uint64_t offset = file ? from.offset : 0;
  if (file) scan.live.push_back(*file);
  const bool visit_now = visit && !bugs.truncate_one_too_far;
  while (file) {
    JournalFileReader& reader = *scan.files[*file];
    const auto group = reader.group(offset, bugs);
    if (!group && !is_absent(group.error())) return std::unexpected(group.error());
    const bool expected = group && (group->header.sequence == scan.next || bugs.ignore_generation);
    if (expected) {
      if (visit_now) MR_TRY(visit(*group));
      scan.groups.push_back({*file, offset});
      scan.bytes += group->header.total_bytes();
      offset += group->header.total_bytes();
      scan.next = group->header.sequence + 1;
      continue;
    }
    const auto start = starts.find(scan.next);
    // A file is read once: only a seeded mistake could lead back to one.
    if (start == starts.end() || std::ranges::find(scan.live, start->second) != scan.live.end() ||
        !scan.files[start->second]->group(0, bugs)) {
      break;
    }
    file = start->second;
    offset = 0;
    scan.live.push_back(*file);
  }

  if (!bugs.ignore_generation) {
    for (std::size_t i = 0; i < scan.files.size(); ++i) {
      // A life that began before what is replayed, in another file, ended before it too.
      const bool older =
          first_groups[i] && *first_groups[i] < from.sequence && scan.files[i]->name() != from.generation;
      // What was replayed to its end went on in the next file; only the last one may hold something behind a gap.
      const bool replayed = std::ranges::find(scan.live, i) != scan.live.end();
      const bool last = file && *file == i;
      if (older || (replayed && !last)) continue;
      MR_TRY_ASSIGN(const auto later, find_later(*scan.files[i], last ? offset : 0, scan.next));
      if (!later) continue;
      if (damage != nullptr)
        *damage = {file ? journal_path(scan.files[*file]->name()) : journal_path(scan.files[i]->name()), offset};
      const std::string where =
          file ? fmt::format("{} at position {}", files.describe(journal_path(scan.files[*file]->name())), offset)
               : files.describe(kJournalDirectory);
      return fail(ErrorCode::corrupt, "journal is damaged",
                  fmt::format("{}: group {} is missing, but a later one stands in {} at position {}", where,
                              scan.next.value(), files.describe(journal_path(scan.files[i]->name())), *later));
    }
  }
  if (bugs.truncate_one_too_far) {
    if (!scan.groups.empty()) scan.groups.pop_back();
    for (const JournalScan::Place& place : scan.groups) {
      MR_TRY_ASSIGN(const JournalGroup group, scan.files[place.file]->group(place.offset, bugs));
      if (visit) MR_TRY(visit(group));
    }
  }
  return scan;
}

}  // namespace millrace::storage
