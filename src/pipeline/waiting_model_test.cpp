// Messages that wait, under seeds: several clients, answers that come late, in any order, or not at all, rules replaced
// meanwhile, appends that complete when they like. What must hold is written down here a second time, and four seeded
// mistakes must be found.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <map>
#include <set>

#include "base/queue_executor.h"
#include "pipeline/message_pipeline.h"
#include "pipeline/testing/recording_topic_log.h"

namespace millrace::pipeline {
namespace {

using Bug = PipelineSettings::SeededBug;
using State = sql::Outside::State;

rules::RuleDefinition rule(std::string name, std::string sql) {
  rules::RuleDefinition definition;
  definition.name = std::move(name);
  definition.sql = std::move(sql);
  rules::ActionDefinition action;
  action.kafka.topic = "out";
  action.kafka.key = "${clientid()}";
  definition.actions.push_back(action);
  action.kafka.topic = "errors";
  definition.error_action = action;
  return definition;
}

/// Answers when the test says so.
class Desk final : public OutsideDesk {
 public:
  explicit Desk(Rng& rng) : rng_(rng) {}
  std::optional<Answer> known(const sql::Question& question) override {
    if (question.kind == sql::Reference::Kind::function || rng_.chance(2, 3)) return std::nullopt;
    return answer(question.argument, State::known);
  }
  void ask(const sql::Question& question, Executor& loop, Done done) override {
    if (question.kind == sql::Reference::Kind::function) ++calls[std::string(question.argument)];
    open.push_back({std::string(question.argument), &loop, std::move(done)});
  }
  std::shared_ptr<const sql::ProtobufSchema> schema(std::string_view) override { return nullptr; }

  static Answer answer(std::string_view argument, State state) {
    if (state == State::known) return {state, fmt::format("{{\"of\":\"{}\"}}", argument.size())};
    return {state, state == State::failed ? "it is out of order" : ""};
  }
  void answer_one() {
    const std::size_t at = rng_.below(open.size());
    std::swap(open[at], open.back());
    Open one = std::move(open.back());
    open.pop_back();
    const State state = rng_.chance(1, 10) ? State::failed : rng_.chance(1, 10) ? State::absent : State::known;
    one.loop->post(
        [done = std::move(one.done), given = answer(one.argument, state)]() mutable { done(std::move(given)); });
  }

  struct Open {
    std::string argument;
    Executor* loop;
    Done done;
  };
  std::vector<Open> open;
  std::map<std::string, int> calls;

 private:
  Rng& rng_;
};

/// One run; what was found to be wrong, or empty.
class WaitingRun final : ReceiptSink {
 public:
  WaitingRun(std::uint64_t seed, Bug bug) : rng_(seed), desk_(rng_) {
    log_.add_topic("out", 3);
    log_.add_topic("errors", 1);
    log_.add_topic(std::string(kDeliveryTopic), 1);
    log_.add_topic(std::string(kFallbackErrorTopic), 1);
    PipelineSettings settings;
    settings.outside = &desk_;
    settings.bug = bug;
    settings.waiting = {.messages = 40, .bytes = 1_MiB, .per_client = 8};
    slot_ = std::make_unique<RuleSetSlot>(set(0));
    pipeline_ = std::make_unique<MessagePipeline>(log_, loop_, *slot_, clock_, metrics_, settings, seed);
  }

  std::string run(int steps) {
    for (int i = 0; i < steps && wrong_.empty(); ++i) step();
    for (int i = 0; i < 100'000 && wrong_.empty() && !pipeline_->idle(); ++i) {
      if (!desk_.open.empty()) desk_.answer_one();
      if (!log_.pending.empty()) log_.complete_one();
      loop_.run_ready();
      pipeline_->turn_end();
    }
    if (wrong_.empty()) check_end();
    return wrong_;
  }

 private:
  static constexpr std::uint64_t kClients = 4;

  std::shared_ptr<const rules::RuleSet> set(int version) {
    std::vector<rules::RuleDefinition> all;
    const auto sql = [&](std::string_view what, char kind) {
      return fmt::format("SELECT n, clientid() AS client, {} AS v{} FROM '{}/#'", version, what, kind);
    };
    all.push_back(rule("plain", sql("", 'p')));
    all.push_back(rule("row", sql(", lookup('t', k) AS row", 't')));
    all.push_back(rule("call", sql(", aws_lambda('f', newuuid() + '-' + clientid() + '-' + n) AS x", 'f')));
    all.push_back(rule("chain", sql(", aws_lambda('f', lookup('t', k).of + newuuid() + clientid() + n) AS x", 'c')));
    rules::RuleDefinition again = rule("again", "SELECT * FROM 'r/#'");
    again.actions.front().kind = rules::ActionDefinition::Kind::republish;
    again.actions.front().republish.topic = "c/again";
    all.push_back(again);
    return *rules::RuleSet::compile(std::move(all), slot_ ? slot_->current().get() : nullptr);
  }

  void step() {
    const std::uint64_t what = rng_.below(100);
    if (what < 45) {
      send();
    } else if (what < 70) {
      if (!desk_.open.empty()) desk_.answer_one();
    } else if (what < 85) {
      if (!log_.pending.empty()) log_.complete_one();
    } else if (what < 88) {
      slot_->replace(set(++version_));
    }
    loop_.run_ready();
    pipeline_->turn_end();
    if (!log_.pending.empty()) note_records();
  }

  void send() {
    const std::uint64_t client = rng_.below(kClients);
    if (paused_.contains(client)) return;
    const std::uint64_t n = ++sent_[client];
    const std::string id = fmt::format("c{}", client);
    const std::string topic = fmt::format("{}/x", "ptfcr"[rng_.below(5)]);
    const std::string payload = fmt::format("{{\"n\":{},\"k\":\"key{}\"}}", n, rng_.below(1000));
    DeviceMessage message;
    message.topic = topic;
    message.payload = as_bytes(payload);
    message.client_id = id;
    message.received_at = clock_.wall();
    message.receipt = {.connection = client + 1, .token = n};
    in_force_[{client, n}] = version_;
    if (pipeline_->receive({&message, 1}, *this) == Pressure::pause) paused_.insert(client);
  }

  void settle(std::span<const Receipt> receipts, ReceiptStatus status) override {
    note_records();
    for (const Receipt& receipt : receipts) {
      const std::uint64_t client = receipt.connection - 1;
      if (status != ReceiptStatus::durable) wrong_ = "a message was refused";
      if (receipt.token != ++settled_[client]) {
        wrong_ = fmt::format("client {}: {} was acknowledged before {}", client, receipt.token, settled_[client]);
      }
      if (!stored_.contains({client, receipt.token})) {
        wrong_ = fmt::format("client {}: {} was acknowledged before it was durable", client, receipt.token);
      }
    }
  }
  void relieved() override { paused_.clear(); }

  /// What the log holds since the last look: in order per client, once each, by the rules of its time.
  void note_records() {
    for (const std::string topic : {"out", "errors"}) {
      for (std::size_t part = 0; part < (topic == "out" ? 3U : 1U); ++part) {
        auto& values = log_.partition(topic, part).values;
        std::size_t& from = seen_[{topic, part}];
        for (; from < values.size(); ++from) note(topic, values[from]);
      }
    }
  }
  void note(const std::string& topic, const RecordingPartition::Record& record) {
    const std::uint64_t client = static_cast<std::uint64_t>(record.key.at(1) - '0');
    if (topic == "errors") {  // the payload is in base64: only counted, as the next of its client
      ++errors_[client];
      return mark_errors(client);
    }
    const std::uint64_t n = number(record.value, "\"n\":");
    if (const auto found = in_force_.find({client, n});
        number(record.value, "\"v\":") != static_cast<std::uint64_t>(found->second)) {
      wrong_ = fmt::format("client {}: {} was judged by rules that came later", client, n);
    }
    if (n <= last_[client]) wrong_ = fmt::format("client {}: {} overtook {}", client, last_[client], n);
    last_[client] = n;
    if (!stored_.insert({client, n}).second) wrong_ = fmt::format("client {}: {} is there twice", client, n);
    mark_errors(client);
  }
  /// An error record stands for the oldest message that has nothing yet.
  void mark_errors(std::uint64_t client) {
    for (std::uint64_t n = 1; errors_[client] > 0 && n <= sent_[client]; ++n) {
      if (stored_.contains({client, n})) continue;
      stored_.insert({client, n});
      --errors_[client];
    }
  }
  static std::uint64_t number(const std::string& text, std::string_view behind) {
    const std::size_t at = text.find(behind);
    return at == std::string::npos ? 0 : std::strtoull(text.c_str() + at + behind.size(), nullptr, 10);
  }

  void check_end() {
    if (!pipeline_->idle()) wrong_ = "something waits for ever";
    for (const auto& [client, sent] : sent_) {
      if (settled_[client] != sent) wrong_ = fmt::format("client {}: not everything was acknowledged", client);
    }
    for (const auto& [argument, count] : desk_.calls) {
      if (count != 1) wrong_ = fmt::format("{} was called {} times", argument, count);
    }
    std::uint64_t messages = 0;
    for (const auto& [client, sent] : sent_) messages += sent;
    if (desk_.calls.size() > messages) wrong_ = "more calls than messages";
  }

  Rng rng_;
  QueueExecutor loop_;
  ManualClock clock_;
  metrics::Registry metrics_;
  RecordingTopicLog log_;
  Desk desk_;
  std::unique_ptr<RuleSetSlot> slot_;
  std::unique_ptr<MessagePipeline> pipeline_;
  int version_ = 0;
  std::map<std::uint64_t, std::uint64_t> sent_;
  std::map<std::uint64_t, std::uint64_t> settled_;
  std::map<std::uint64_t, std::uint64_t> last_;
  std::map<std::uint64_t, std::uint64_t> errors_;
  std::set<std::uint64_t> paused_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, int> in_force_;
  std::set<std::pair<std::uint64_t, std::uint64_t>> stored_;
  std::map<std::pair<std::string, std::size_t>, std::size_t> seen_;
  std::string wrong_;
};

constexpr int kSteps = 400;

TEST(WaitingModel, NothingIsLostOvertakenOrAcknowledgedEarly) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    ASSERT_EQ(WaitingRun(seed, Bug::none).run(kSteps), "") << "seed " << seed;
  }
}

TEST(WaitingModel, SeededMistakesAreFound) {
  for (const Bug bug : {Bug::overtake, Bug::new_rules, Bug::settle_early, Bug::new_chance}) {
    std::string found;
    for (std::uint64_t seed = 1; seed <= 50 && found.empty(); ++seed) found = WaitingRun(seed, bug).run(kSteps);
    EXPECT_NE(found, "") << "bug " << static_cast<int>(bug);
  }
}

}  // namespace
}  // namespace millrace::pipeline
