// S3Sink: records into objects of a bucket, under Confluent's class name, settings and object names:
//   <topics.dir>/<topic>/<folder>/<topic>+<partition>+<first offset, 10 digits>.json[.gz]
//
// Every record is in exactly one object, also over kill -9: see ObjectSet. Thread: the task's.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connect/runtime/sink.h"
#include "connect/runtime/sink_class.h"
#include "connect/sinks/s3/bucket.h"
#include "connect/sinks/s3/object_set.h"
#include "connect/sinks/s3/partitioner.h"
#include "connect/sinks/s3/record_format.h"

namespace millrace::connect::s3 {

ConfigRows rows();
const SinkClass& s3_sink_class();

class S3Sink final : public Sink {
 public:
  explicit S3Sink(SinkContext context);
  ~S3Sink() override;
  Result<void> open(std::span<const LaneStart> lanes) override;
  Outcome put(std::span<const SinkRecord> records) override;
  [[nodiscard]] std::optional<Offset> delivered(std::uint32_t lane) const override;
  [[nodiscard]] std::optional<WallTime> next_flush() const override;
  Outcome flush() override;
  Outcome finish() override;

 private:
  /// One record; `rejected` when it is at fault itself. An error leaves `kept` telling whether the record was taken.
  Result<void> take(const SinkRecord& record, WallTime wall, std::optional<Rejection>& rejected, bool& kept);
  [[nodiscard]] bool must_cut_before(const ObjectSet& set, const SinkRecord& record,
                                     const Partitioner::Place& place) const;
  /// One of the objects that a record is written to: its value, key or headers. `ending` follows the offset.
  OpenObject& object_for(ObjectSet& set, const SinkRecord& record, std::string_view folder, RecordFormat& format,
                         std::string_view ending);
  /// The record's parts into their objects, all or none; `objects` has those that took one.
  Result<void> write(ObjectSet& set, const SinkRecord& record, std::string_view folder);
  /// Why the record cannot be written, whatever its value; empty: it can.
  [[nodiscard]] std::string missing_part(const SinkRecord& record) const;
  /// Writes the plan when one is needed, completes the objects, starts the next set. Repeatable after an error.
  Result<void> cut(std::uint32_t lane);
  Result<void> finish_cuts();
  /// When all sinks together keep too much: moves the largest objects to disk; cuts sets where that does not help.
  Result<void> relieve_memory();
  bool spill_objects();
  bool spill_the_largest();
  [[nodiscard]] bool is_over_memory() const;
  [[nodiscard]] bool can_spill() const;
  /// relieve_memory() would do something.
  [[nodiscard]] bool can_relieve_memory() const;
  void account(ObjectSet& set);
  void sweep_uploads();
  [[nodiscard]] bool clock_matters() const { return partitioner_->extractor() == Extractor::wallclock; }
  /// The next rotation is further away than one can be.
  [[nodiscard]] bool clock_was_set_back() const;
  Outcome outcome_of(const Error& error, std::size_t taken);

  SinkContext context_;
  std::optional<Partitioner> partitioner_;
  std::unique_ptr<RecordFormat> format_;
  std::unique_ptr<RecordFormat> key_format_;     // null: keys are not written
  std::unique_ptr<RecordFormat> header_format_;  // null: headers are not
  std::vector<OpenObject*> written_;             // by the last write()
  std::unique_ptr<Deflater> deflater_;
  std::optional<Bucket> bucket_;
  std::vector<ObjectSet> sets_;  // by lane
  WallTime next_rotation_{0};
  MonoTime spill_from_{0};  // not before, because it failed
  bool swept_ = false;

  // Read once from the settings.
  std::int64_t flush_size_ = 0;
  std::int64_t rotate_interval_ = -1;
  std::chrono::milliseconds rotate_schedule_{-1};
  std::int64_t max_open_ = -1;
  std::size_t part_bytes_ = 0;
  bool rotate_on_change_ = true;
  enum class OnNull : std::uint8_t { fail, ignore, write };
  OnNull on_null_ = OnNull::fail;
  std::string tombstones_;  // their folder
  std::string prefix_;
  std::string file_delim_;
  std::string directory_delim_;
  std::string extension_;
  std::string key_extension_;
  std::string header_extension_;
  int pad_ = 10;
};

}  // namespace millrace::connect::s3
