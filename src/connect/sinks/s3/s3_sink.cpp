#include "connect/sinks/s3/s3_sink.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/log.h"
#include "connect/json_members.h"
#include "connect/runtime/failed_record.h"
#include "connect/settings/destination_url.h"
#include "connect/sinks/s3/credentials.h"

namespace millrace::connect::s3 {
namespace {

using std::chrono::milliseconds;

/// A set smaller than this is not cut for memory's sake: it would give tiny objects and hardly any memory.
constexpr std::int64_t kWorthCutting = 256 << 10;
/// An object with less in memory is not moved to disk.
constexpr std::size_t kWorthSpilling = 4 << 10;
/// After the disk had no room.
constexpr milliseconds kSpillAgain{60'000};

void check_more(const Settings& settings, std::vector<ConfigValue>& values) {
  if (auto partitioner = Partitioner::make(settings); !partitioner) {
    const std::string& detail = partitioner.error().detail;
    const auto colon = detail.find(": ");
    const std::string key = detail.substr(0, colon);
    add_error(
        values, key,
        fmt::format("Invalid value {} for configuration {}: {}", settings.text(key), key, detail.substr(colon + 2)));
  }
  if (settings.choice("behavior.on.null.values") == "write" && !settings.flag("store.kafka.keys")) {
    add_error(values, "behavior.on.null.values",
              "'behavior.on.null.values' WRITE needs 'store.kafka.keys': of a tombstone only the key is there.");
  }
  const std::string url = settings.text("store.url");
  if (const auto fault = url.empty() ? std::nullopt : url_fault(url)) {
    add_error(values, "store.url", fmt::format("Invalid value {} for configuration store.url: {}", url, *fault));
  }
}

}  // namespace

S3Sink::S3Sink(SinkContext context) : context_(std::move(context)) {
  const Settings& settings = context_.settings;
  flush_size_ = settings.number("flush.size");
  rotate_interval_ = settings.number("rotate.interval.ms");
  rotate_schedule_ = settings.ms("rotate.schedule.interval.ms");
  rotate_on_change_ = settings.flag("rotate.file.on.partition.change");
  max_open_ = settings.number("partitioner.max.open.files");
  part_bytes_ = static_cast<std::size_t>(settings.number("s3.part.size"));
  const std::string null = settings.choice("behavior.on.null.values");
  on_null_ = null == "ignore" ? OnNull::ignore : null == "write" ? OnNull::write : OnNull::fail;
  tombstones_ = settings.text("tombstone.encoded.partition");
  directory_delim_ = settings.text("directory.delim");
  file_delim_ = settings.text("file.delim");
  pad_ = static_cast<int>(settings.number("filename.offset.zero.pad.width"));
  prefix_ = settings.text("topics.dir");
  if (!prefix_.empty()) prefix_ += directory_delim_;
}

S3Sink::~S3Sink() {
  for (ObjectSet& set : sets_) {
    for (auto& [directory, object] : set.objects) {
      if (!context_.stopping) object->abandon(*bucket_);
    }
  }
}

Result<void> S3Sink::open(std::span<const LaneStart> lanes) {
  const Settings& settings = context_.settings;
  MR_TRY_ASSIGN(partitioner_, Partitioner::make(settings));
  MR_TRY_ASSIGN(format_, RecordFormat::make(settings));
  extension_ = format_->extension();
  if (settings.flag("store.kafka.keys")) {
    MR_TRY_ASSIGN(key_format_, RecordFormat::make(settings, "keys.format.class"));
    key_extension_ = ".keys" + key_format_->extension();
  }
  if (settings.flag("store.kafka.headers")) {
    MR_TRY_ASSIGN(header_format_, RecordFormat::make(settings, "headers.format.class"));
    header_extension_ = ".headers" + header_format_->extension();
  }
  if (settings.choice("s3.compression.type") == "gzip") {
    deflater_ = std::make_unique<Deflater>(static_cast<int>(settings.number("s3.compression.level")));
    for (std::string* extension : {&extension_, &key_extension_, &header_extension_}) *extension += ".gz";
  }
  MR_TRY_ASSIGN(auto credentials, find_credentials(settings, context_.surroundings));
  bucket_.emplace(find_address(settings, context_.surroundings), std::move(credentials), *context_.surroundings.clock,
                  net::http::Client({.request_timeout = std::chrono::seconds(120)}, &context_.stopping));
  for (const LaneStart& lane : lanes) {
    ObjectSet& set = sets_.emplace_back();
    set.partition = lane.partition;
    set.begin = set.next = lane.next;
    set.plan = Plan::parse(lane.note);
    if (set.plan && set.plan->end <= lane.next) set.plan.reset();
  }
  if (rotate_schedule_.count() > 0) {
    next_rotation_ = next_rotation(context_.surroundings.clock->wall(), rotate_schedule_, partitioner_->zone());
  }
  return {};
}

bool S3Sink::must_cut_before(const ObjectSet& set, const SinkRecord& record, const Partitioner::Place& place) const {
  if (set.empty()) return false;
  if (set.plan) return record.origin().offset >= set.plan->end;
  // Tombstones have a folder of their own beside every other.
  const bool other_folder = !record.image.value.is_null() && set.folder != place.folder;
  if (clock_matters() && other_folder) return true;
  if (rotate_interval_ > 0 && partitioner_->extractor() != Extractor::none &&
      (place.time_ms - set.first_time >= rotate_interval_ || (rotate_on_change_ && other_folder))) {
    return true;
  }
  const std::size_t parts = 1 + (key_format_ ? 1 : 0) + (header_format_ ? 1 : 0);
  return max_open_ > 0 && std::cmp_greater_equal(set.objects.size() / parts, max_open_) && other_folder &&
         !set.objects.contains(
             fmt::format("{}{}{}\n{}", record.image.topic, directory_delim_, place.folder, extension_));
}

// The directory comes from the record as transformations left it, the name from where it was in the log: so two topics
// that a transformation makes one never meet in one object.
OpenObject& S3Sink::object_for(ObjectSet& set, const SinkRecord& record, std::string_view folder, RecordFormat& format,
                               std::string_view ending) {
  const bool of_value = &format == format_.get();
  if (of_value) {
    if (set.current != nullptr && set.topic == record.image.topic && set.folder == folder) return *set.current;
    set.topic = record.image.topic;
    set.folder = folder;
  }
  const std::string directory = fmt::format("{}{}{}", record.image.topic, directory_delim_, folder);
  auto& object = set.objects[fmt::format("{}\n{}", directory, ending)];
  if (!object) {
    const TopicPartition& from = *set.partition;
    object = std::make_unique<OpenObject>(
        fmt::format("{}{}{}{}{}{}{}{:0{}}{}", prefix_, directory, directory_delim_, from.topic, file_delim_,
                    from.partition.value(), file_delim_, record.origin().offset.value(), pad_, ending),
        format, deflater_.get());
  }
  if (of_value) set.current = object.get();
  return *object;
}

std::string S3Sink::missing_part(const SinkRecord& record) const {
  if (key_format_ && record.image.key.is_null()) return "Key cannot be null: store.kafka.keys is set.";
  if (header_format_ && record.image.headers.empty()) return "Headers cannot be null: store.kafka.headers is set.";
  return {};
}

Result<void> S3Sink::write(ObjectSet& set, const SinkRecord& record, std::string_view folder) {
  written_.clear();
  const auto add = [&](RecordFormat& format, std::string_view ending, const Datum& part) -> Result<void> {
    OpenObject& object = object_for(set, record, folder, format, ending);
    auto added = object.append(part);
    if (added) {
      written_.push_back(&object);
    } else {
      for (OpenObject* before : written_) before->take_back();
    }
    return added;
  };
  if (!record.image.value.is_null()) MR_TRY(add(*format_, extension_, record.image.value));
  if (key_format_) MR_TRY(add(*key_format_, key_extension_, record.image.key));
  if (header_format_) {
    const std::string json = headers_as_json(record);
    sql::JsonDocument document;  // views it
    if (!document.parse(json)) return fail(ErrorCode::malformed, "the headers are no text");
    MR_TRY(add(*header_format_, header_extension_, Datum::of(root_of(document))));
  }
  return {};
}

Result<void> S3Sink::take(const SinkRecord& record, WallTime wall, std::optional<Rejection>& rejected, bool& kept) {
  kept = false;
  const std::uint32_t lane = record.origin().lane;
  ObjectSet& set = sets_[lane];
  const Datum& value = record.image.value;
  if (value.is_null() && on_null_ != OnNull::write) {
    kept = true;
    if (on_null_ == OnNull::fail) {
      rejected = Rejection{0, std::string(kConnectException),
                           "Null valued records are not writeable with current behavior.on.null.values 'fail'."};
    }
    return {};
  }
  if (std::string why = missing_part(record); !why.empty()) {
    kept = true;
    rejected = Rejection{0, std::string(kDataException), std::move(why)};
    return {};
  }
  const auto place_at = [&](WallTime clock) -> Result<Partitioner::Place> {
    if (value.is_null()) return Partitioner::Place{tombstones_, record.image.timestamp_ms};
    return partitioner_->place(record, clock);
  };
  auto place = place_at(set.plan ? set.plan->clock : wall);
  if (place && must_cut_before(set, record, *place)) {
    set.cutting = true;
    MR_TRY(cut(lane));
    place = place_at(wall);
  }
  kept = true;
  if (!place) {
    rejected = Rejection{0, "io.confluent.connect.storage.errors.PartitionException", place.error().message()};
    return {};
  }
  const bool first = set.empty();
  if (auto written = write(set, record, place->folder); !written) {
    rejected = Rejection{0, std::string(kDataException), written.error().message()};
    return {};
  }
  if (first) {
    set.begin = record.origin().offset;
    set.first_time = place->time_ms;
    set.clock = set.plan ? set.plan->clock : wall;
  }
  set.next = record.origin().offset + 1;
  ++set.records;
  for (OpenObject* object : written_) MR_TRY(object->wrote());
  const bool full = set.plan ? set.next >= set.plan->end : set.records >= flush_size_;
  if (full) {
    set.cutting = true;
    return cut(lane);
  }
  for (OpenObject* object : written_) {
    if (object->kept_bytes() >= part_bytes_) MR_TRY(object->send_parts(*bucket_, part_bytes_));
  }
  return {};
}

Outcome S3Sink::outcome_of(const Error& error, std::size_t taken) {
  switch (error.code) {
    case ErrorCode::unavailable:
    case ErrorCode::timed_out:
    case ErrorCode::busy:
    case ErrorCode::closed: {
      Outcome outcome = Outcome::retry(error, taken);
      outcome.retry_after = bucket_->retry_after();
      return outcome;
    }
    // What was spilled cannot be read: a new session reads the records from the log again.
    case ErrorCode::corrupt:
    case ErrorCode::io_error:
      return Outcome::fatal({ErrorCode::fenced, "spilled bytes are lost", error.message()});
    default:
      return Outcome::fatal(error);
  }
}

Outcome S3Sink::put(std::span<const SinkRecord> records) {
  const WallTime wall = context_.surroundings.clock->wall();
  // A rotation that passed while nothing was open is none; a clock that was set back would make the next one far away.
  const bool idle = std::ranges::all_of(sets_, &ObjectSet::empty);
  if (rotate_schedule_.count() > 0 && ((idle && wall >= next_rotation_) || clock_was_set_back())) {
    next_rotation_ = next_rotation(wall, rotate_schedule_, partitioner_->zone());
  }
  std::vector<Rejection> rejections;
  const auto ended = [&](Outcome outcome) {
    outcome.rejected = std::move(rejections);
    for (ObjectSet& set : sets_) account(set);
    // Also while the bucket is away.
    if (is_over_memory() && can_spill()) spill_objects();
    return outcome;
  };
  if (auto finished = finish_cuts(); !finished) return ended(outcome_of(finished.error(), 0));
  for (std::size_t i = 0; i < records.size(); ++i) {
    std::optional<Rejection> rejected;
    bool kept = false;
    const auto taken = take(records[i], wall, rejected, kept);
    if (rejected) {
      rejected->index = i;
      rejections.push_back(std::move(*rejected));
    }
    if (!taken) return ended(outcome_of(taken.error(), i + (kept ? 1 : 0)));
  }
  for (ObjectSet& set : sets_) account(set);
  if (auto relieved = relieve_memory(); !relieved) return ended(outcome_of(relieved.error(), records.size()));
  return ended(Outcome::done());
}

Result<void> S3Sink::cut(std::uint32_t lane) {
  ObjectSet& set = sets_[lane];
  if (!set.plan && !set.plan_written && (set.by_clock || clock_matters())) {
    MR_TRY(context_.record_plan(lane, set.begin, Plan{set.next, set.clock}.note()));
    set.plan_written = true;
  }
  for (auto& [directory, object] : set.objects) {
    if (object->untouched()) continue;
    MR_TRY(object->send_parts(*bucket_, part_bytes_));
    if (auto finished = object->finish(*bucket_); !finished) {
      // A multipart upload that is no longer known was completed, or thrown away by the bucket's life cycle: only a new
      // session, which reads from the bookmark, can tell and repair it.
      if (finished.error().code == ErrorCode::not_found && object->parts() != 0) {
        return fail(ErrorCode::fenced, "the multipart upload is gone", object->key());
      }
      return finished;
    }
  }
  set.start_over();
  account(set);
  if (!swept_) sweep_uploads();
  return {};
}

Result<void> S3Sink::finish_cuts() {
  for (std::uint32_t lane = 0; lane < sets_.size(); ++lane) {
    if (sets_[lane].cutting) MR_TRY(cut(lane));
  }
  return {};
}

void S3Sink::account(ObjectSet& set) {
  const std::int64_t bytes = set.bytes();
  if (bytes != set.kept_bytes && context_.account) context_.account(bytes - set.kept_bytes);
  set.kept_bytes = bytes;
}

bool S3Sink::is_over_memory() const {
  return context_.account && context_.account(0) == MemoryLevel::over;
}

bool S3Sink::can_spill() const {
  return context_.surroundings.spill != nullptr && context_.surroundings.clock->mono() >= spill_from_;
}

bool S3Sink::can_relieve_memory() const {
  return std::ranges::any_of(sets_, [this](const ObjectSet& set) {
    return (!set.plan && set.kept_bytes >= kWorthCutting) ||
           (can_spill() && std::ranges::any_of(set.objects, [](const auto& entry) {
              return entry.second->spillable_bytes() >= kWorthSpilling;
            }));
  });
}

// The largest first, and until there is room again, so that it is not done for every batch and little by little. True:
// something went to disk, and nothing failed.
bool S3Sink::spill_the_largest() {
  struct Candidate {
    std::size_t bytes;
    ObjectSet* set;
    OpenObject* object;
  };
  std::vector<Candidate> candidates;
  for (ObjectSet& set : sets_) {
    for (const auto& [directory, object] : set.objects) {
      if (const std::size_t bytes = object->spillable_bytes(); bytes >= kWorthSpilling) {
        candidates.push_back({bytes, &set, object.get()});
      }
    }
  }
  std::ranges::sort(candidates, std::ranges::greater{}, &Candidate::bytes);
  for (const Candidate& candidate : candidates) {
    Result<void> spilled;
    if (!candidate.set->spill) {
      auto file = context_.surroundings.spill->make_file();
      if (file) candidate.set->spill = std::move(*file);
      if (!file) spilled = std::unexpected<Error>(std::move(file).error());
    }
    if (spilled) spilled = candidate.object->spill(*candidate.set->spill);
    account(*candidate.set);
    if (!spilled) {
      // Objects become smaller than was asked for meanwhile, and nothing is lost.
      spill_from_ = context_.surroundings.clock->mono() + kSpillAgain;
      log::warn("s3_objects_not_spilled", {{"connector", context_.connector}, {"error", spilled.error().message()}});
      return false;
    }
    if (context_.account(0) == MemoryLevel::roomy) break;
  }
  return !candidates.empty();
}

bool S3Sink::spill_objects() {
  const bool spilled = spill_the_largest();
  context_.surroundings.spill->give_back_memory(context_.surroundings.clock->mono());
  return spilled;
}

// As long as something can be spilled nothing is cut, whoever takes the room meanwhile: other sinks' tasks are as fast
// as this one.
Result<void> S3Sink::relieve_memory() {
  while (is_over_memory()) {
    if (can_spill() && spill_objects()) continue;
    const auto largest =
        std::ranges::max_element(sets_, {}, [](const ObjectSet& set) { return set.plan ? 0 : set.kept_bytes; });
    if (largest == sets_.end() || largest->plan || largest->kept_bytes < kWorthCutting) return {};
    largest->cutting = largest->by_clock = true;
    MR_TRY(cut(static_cast<std::uint32_t>(largest - sets_.begin())));
  }
  return {};
}

// Uploads that an earlier process left: of this task's partitions, and not ours. Nobody else writes under these names.
void S3Sink::sweep_uploads() {
  swept_ = true;
  std::set<std::string> ours;
  std::set<std::string> prefixes;
  for (const ObjectSet& set : sets_) {
    for (const auto& [directory, object] : set.objects) ours.insert(object->key());
    prefixes.insert(prefix_ + set.partition->topic + directory_delim_);
  }
  for (const std::string& prefix : prefixes) {
    const auto uploads = bucket_->open_uploads(prefix);
    if (!uploads) {
      log::warn("s3_uploads_not_swept", {{"connector", context_.connector}, {"error", uploads.error().message()}});
      return;
    }
    for (const auto& [key, upload] : *uploads) {
      const bool mine = std::ranges::any_of(sets_, [&](const ObjectSet& set) {
        return key.find(fmt::format("{}{}{}{}", directory_delim_, set.partition->topic, file_delim_,
                                    set.partition->partition.value()) +
                        file_delim_) != std::string::npos;
      });
      if (mine && !ours.contains(key)) static_cast<void>(bucket_->abort(key, upload));
    }
  }
}

std::optional<Offset> S3Sink::delivered(std::uint32_t lane) const {
  const ObjectSet& set = sets_[lane];
  return set.empty() ? std::optional<Offset>() : std::optional(set.begin);
}

std::optional<WallTime> S3Sink::next_flush() const {
  if (std::ranges::any_of(sets_, &ObjectSet::cutting)) return WallTime(0);
  // Also while no record comes for this sink: others may need the room.
  if (is_over_memory() && can_relieve_memory()) return WallTime(0);
  const bool open = std::ranges::any_of(sets_, [](const ObjectSet& set) { return !set.empty(); });
  if (rotate_schedule_.count() <= 0 || !open) return std::nullopt;
  return clock_was_set_back() ? WallTime(0) : next_rotation_;
}

bool S3Sink::clock_was_set_back() const {
  return next_rotation_ - context_.surroundings.clock->wall() > 2 * rotate_schedule_;
}

Outcome S3Sink::flush() {
  const WallTime wall = context_.surroundings.clock->wall();
  if (rotate_schedule_.count() > 0 && wall >= next_rotation_) {
    for (ObjectSet& set : sets_) {
      if (!set.empty() && !set.plan) set.cutting = set.by_clock = true;
    }
    next_rotation_ = next_rotation(wall, rotate_schedule_, partitioner_->zone());
  }
  if (rotate_schedule_.count() > 0 && clock_was_set_back()) {
    next_rotation_ = next_rotation(wall, rotate_schedule_, partitioner_->zone());
  }
  if (auto finished = finish_cuts(); !finished) return outcome_of(finished.error(), 0);
  if (auto relieved = relieve_memory(); !relieved) return outcome_of(relieved.error(), 0);
  return Outcome::done();
}

Outcome S3Sink::finish() {
  for (ObjectSet& set : sets_) {
    if (!set.empty()) set.cutting = set.by_clock = true;
  }
  return flush();
}

const SinkClass& s3_sink_class() {
  static const SinkClass row{
      .class_name = "io.confluent.connect.s3.S3SinkConnector",
      .version = "10.6.0-millrace",
      .rows = rows(),
      .check = check_more,
      .limits = [](const Settings&) { return BatchLimits{.records = 2000, .bytes = 1_MiB}; },
      .retries =
          [](const Settings& settings) {
            return RetryLimits{settings.number("s3.part.retries"), settings.ms("s3.retry.backoff.ms"),
                               milliseconds(60'000)};
          },
      .make = [](SinkContext context) -> std::unique_ptr<Sink> { return std::make_unique<S3Sink>(std::move(context)); },
  };
  return row;
}

}  // namespace millrace::connect::s3
