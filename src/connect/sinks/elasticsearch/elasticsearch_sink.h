// ElasticsearchSink: records as documents of Elasticsearch or OpenSearch through the bulk API, under Confluent's class
// name and settings.
//
// Exactly once by names: a document's id comes from the record's place in the log (key.ignore) or from its key with the
// offset as external version, so a repeated request changes nothing. The index comes from the record's topic as
// transformations left it; bookmarks do not, so a daily index costs nothing at a restart. Thread: the task's.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "connect/runtime/sink.h"
#include "connect/runtime/sink_class.h"
#include "net/http/client.h"
#include "sql/json_document.h"

namespace millrace::connect::elasticsearch {

const SinkClass& elasticsearch_sink_class();

class ElasticsearchSink final : public Sink {
 public:
  explicit ElasticsearchSink(SinkContext context);
  Result<void> open(std::span<const LaneStart> lanes) override;
  Outcome put(std::span<const SinkRecord> records) override;
  /// max.in.flight.requests, where ids decide what a document becomes; one where the order of requests does.
  [[nodiscard]] std::size_t slots() const override { return bulks_.size(); }
  void begin(std::size_t slot, std::span<const SinkRecord> records) override;
  Outcome end(std::size_t slot) override;

 private:
  enum class OnNull : std::uint8_t { ignore, remove, fail };
  enum class OnMalformed : std::uint8_t { ignore, warn, fail };
  enum class Encoded : std::uint8_t { written, skipped, rejected };

  /// One bulk request.
  struct Bulk {
    Buffer body;
    Buffer packed;
    std::vector<std::uint32_t> sent;  // record indexes, in the order of the request
    std::vector<Rejection> rejected;
  };
  void encode(std::span<const SinkRecord> records, Bulk& bulk);
  Encoded encode(const SinkRecord& record, std::size_t index, std::vector<Rejection>& rejected);
  Result<void> append_id(const SinkRecord& record);
  void append_source(const SinkRecord& record, bool with_timestamp);
  /// Empty: the topic has none.
  [[nodiscard]] std::string_view index_of(std::string_view topic);
  [[nodiscard]] bool ignores_key(const SinkRecord& record) const {
    return key_ignore_ || key_ignored_.contains(record.image.topic);
  }
  Result<net::http::ClientRequest> request_of(std::string_view path, Bulk& bulk);
  Outcome judge(Result<net::http::ClientResponse> response, Bulk& bulk);
  /// Item by item.
  Outcome judge_items(const net::http::ClientResponse& response, Bulk& bulk);

  SinkContext context_;
  net::http::Client client_;
  std::unique_ptr<net::http::Requests> requests_;  // null: one at a time
  std::vector<std::string> urls_;
  std::size_t url_ = 0;
  std::string authorization_;
  bool key_ignore_ = false;
  bool auto_ids_ = false;
  bool upsert_ = false;
  bool drop_invalid_ = false;
  bool compress_ = false;
  bool data_stream_ = false;
  bool has_types_ = false;  // Elasticsearch before 7: a mapping type belongs to every document
  OnNull on_null_ = OnNull::fail;
  OnMalformed on_malformed_ = OnMalformed::fail;
  std::string type_name_;
  std::string version_header_;
  std::string timestamp_field_;
  std::string index_topic_;  // the last topic and its index
  std::string index_;

  std::set<std::string, std::less<>> key_ignored_;         // topics
  bool mapped_ = false;                                    // topics have indices of their own names
  std::map<std::string, std::string, std::less<>> names_;  // by topic

  std::vector<Bulk> bulks_;  // by slot
  Bulk alone_;               // of put()
  Buffer* body_ = nullptr;   // of the bulk that is encoded
  sql::Arena arena_;
  sql::JsonDocument answer_;
};

/// The name of an index for a topic: lower case, characters that indices may not have replaced (IndexName rules).
std::string index_name(std::string_view topic);

}  // namespace millrace::connect::elasticsearch
