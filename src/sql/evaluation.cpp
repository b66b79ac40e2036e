#include "sql/evaluation.h"

#include <cstring>

#include "sql/text_writer.h"
#include "sql/time_pattern.h"

namespace millrace::sql {

namespace {

constexpr std::size_t kMaxExtraDocuments = 64;
constexpr std::size_t kUuidText = 36;

void write_uuid(const Uuid& uuid, char* to) {
  static constexpr char kHex[] = "0123456789abcdef";
  for (std::size_t i = 0; i < uuid.bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) *to++ = '-';
    *to++ = kHex[uuid.bytes[i] >> 4U];
    *to++ = kHex[uuid.bytes[i] & 15U];
  }
}

}  // namespace

Evaluation::Evaluation(std::uint64_t seed) : rng_(seed) {}

void Evaluation::begin(const DeviceMessage& message, std::string_view topic) {
  arena_.reset();
  message_ = &message;
  topic_ = topic;
  ++generation_;
  fuel_ = kFuel;
  waits_ = false;
  problem_ = {};
  payload_state_ = Payload::unknown;
  trace_id_ = {};
  extra_used_ = 0;
}

void Evaluation::note(const Question& question, const Outside::Answer& answer) {
  waits_ = waits_ || answer.state == Outside::State::waiting;
  if (answer.state != Outside::State::failed || !problem_.empty()) return;
  TextWriter out(arena_, 128);
  for (const std::string_view part :
       {to_string(question.kind), std::string_view(" "), question.name, std::string_view(": "), answer.text}) {
    out.append(part);
  }
  problem_ = out.finish();
}

bool Evaluation::payload_is_json() {
  if (payload_state_ == Payload::unknown) {
    payload_state_ = document_.parse(payload()) ? Payload::json : Payload::other;
  }
  return payload_state_ == Payload::json;
}

void Evaluation::resolve(std::uint32_t index, const Paths::Path& path) {
  if (index >= slots_.size()) slots_.resize(std::size_t{index} + 1 + slots_.size() / 2);
  Slot& slot = slots_[index];
  slot.generation = generation_;
  slot.value = {};
  if (!payload_is_json()) return;
  std::uint32_t at = JsonDocument::kRoot;
  for (const std::string& name : path) {
    if (!spend((document_.node(at).end - at) / 8)) return;
    at = document_.find(at, name);
    if (at == JsonDocument::kAbsent) return;
  }
  slot.value = Value::of(document_, at);
}

JsonDocument* Evaluation::extra_document() {
  if (extra_used_ == kMaxExtraDocuments) return nullptr;
  if (extra_used_ == extra_.size()) extra_.push_back(std::make_unique<JsonDocument>());
  JsonDocument* document = extra_[extra_used_++].get();
  document->set_max_depth(max_depth_);
  return document;
}

std::string_view Evaluation::new_uuid() {
  char* to = arena_.text(kUuidText);
  const std::uint64_t high = rng_();
  write_uuid(Uuid::from_random(high, rng_()), to);
  return {to, kUuidText};
}

std::string_view Evaluation::trace_id() {
  if (trace_id_.empty()) trace_id_ = new_uuid();
  return trace_id_;
}

std::string_view Evaluation::format_time(const TimePattern& pattern, const TimeZone& zone, std::int64_t milliseconds) {
  const std::int64_t second = milliseconds >= 0 ? milliseconds / 1000 : (milliseconds - 999) / 1000;
  FormattedTime& entry = times_[pattern.id() % times_.size()];
  const bool cacheable = !pattern.shows_milliseconds();
  if (!cacheable || entry.pattern != pattern.id() || entry.zone != &zone || entry.second != second) {
    TextWriter out(arena_, 64);
    pattern.format(out, zone, milliseconds);
    const std::string_view text = out.finish();
    if (!cacheable || text.size() > entry.text.size()) return text;
    entry.pattern = pattern.id();
    entry.zone = &zone;
    entry.second = second;
    entry.size = text.size();
    std::memcpy(entry.text.data(), text.data(), text.size());
    return text;
  }
  return arena_.copy({entry.text.data(), entry.size});
}

}  // namespace millrace::sql
