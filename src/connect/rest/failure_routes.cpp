#include "connect/rest/failure_routes.h"

#include <fmt/format.h>

#include <charconv>

#include "connect/rest/answers.h"

namespace millrace::connect {
namespace {

using net::http::Request;
using net::http::Response;

constexpr std::size_t kFailuresShown = 1000;

std::optional<std::int64_t> number_of(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

void answer_failures(Worker& worker, const Connector& connector, const Request& request, const Answer& answer) {
  JsonWriter json;
  json.begin_object().member("connector", connector.name);
  json.member("count", worker.failures().count(connector.name)).key("failures").begin_array();
  const std::string* skip = request.query_value("skip");
  auto left = skip == nullptr ? 0 : number_of(*skip).value_or(0);
  std::size_t shown = 0;
  for (const auto& [key, entry] : worker.failures().of(connector.name)) {
    if (left-- > 0) continue;
    if (++shown > kFailuresShown) break;
    json.begin_object();
    write_failure(json, key, entry);
    json.end_object();
  }
  answer->respond(Response::json(200, json.end_array().end_object().take()));
}

void answer_failure(Worker& worker, const Connector& connector, const Request& request, const Answer& answer) {
  const auto partition = number_of(request.parameter("partition"));
  const auto offset = number_of(request.parameter("offset"));
  const LedgerKey key{
      connector.name,
      {std::string(request.parameter("topic")), PartitionIndex(static_cast<std::int32_t>(partition.value_or(-1)))},
      Offset(offset.value_or(-1))};
  const LedgerEntry* entry = partition && offset ? worker.failures().find(key) : nullptr;
  if (entry == nullptr) {
    return answer->respond(error_answer(404, fmt::format("No failed record of connector {} is there", key.connector)));
  }
  worker.failed_record(key, [key, entry = *entry, answer](Result<std::optional<SharedBytes>> found) {
    if (!found) return answer->respond(error_answer(found.error()));
    JsonWriter json;
    json.begin_object();
    write_failure(json, key, entry);
    json.key("record");
    write_record(json, *found);
    answer->respond(Response::json(200, json.end_object().take()));
  });
}

void answer_replay(Worker& worker, const Connector& connector, const Request& request, const Answer& answer) {
  const auto asked = [&request](std::string_view name) {
    const std::string* value = request.query_value(name);
    return value == nullptr ? std::string() : *value;
  };
  const auto wanted = [topic = asked("topic"), partition = asked("partition"),
                       offset = asked("offset")](const LedgerKey& key) {
    return (topic.empty() || topic == key.partition.topic) &&
           (partition.empty() || partition == std::to_string(key.partition.partition.value())) &&
           (offset.empty() || offset == std::to_string(key.offset.value()));
  };
  const auto replaying = worker.replay_failures(connector.name, wanted);
  if (!replaying) return answer->respond(error_answer(replaying.error()));
  answer->respond(Response::json(202, JsonWriter().begin_object().member("replaying", *replaying).end_object().take()));
}

}  // namespace millrace::connect
