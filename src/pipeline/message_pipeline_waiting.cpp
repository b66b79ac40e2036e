// MessagePipeline's second half: messages whose rules ask beyond them.
//
// A message is first judged without effect, only to find out what it asks. If all of it is known it is judged for good
// at once; otherwise it waits whole: no record, no count, no receipt. What it asked is kept with it, and so are the
// rules and the chance (newuuid(), rand()) it was judged with, so that judging again asks the same and finds the
// answers. A rule that can only ask when it has been told something asks in rounds.
#include "pipeline/message_pipeline.h"

namespace millrace::pipeline {
namespace {

constexpr int kMostRounds = 16;
/// Why a question fails that comes up when the message is judged for good.
constexpr std::string_view kCannotWait = "what an errorAction republishes cannot wait for an answer";
/// Messages that are looked at for one, times the depth: as many as it may become.
constexpr std::size_t kHeirsPerDepth = 16;

}  // namespace

bool MessagePipeline::must_wait(const DeviceMessage& message) {
  using Purpose = rules::Evaluator::Purpose;
  const Rng before = evaluator_.rng();
  const std::size_t most = static_cast<std::size_t>(settings_.max_republish_depth) * kHeirsPerDepth;
  std::vector<std::unique_ptr<RepublishedMessage>> heirs;
  const auto judge = [&](const DeviceMessage& judged, int depth) {
    const auto outcome = evaluator_.evaluate(*rules_, judged, Purpose::trial);
    for (const rules::RuleOutput& output : outcome.outputs) {
      if (output.kind != rules::RuleOutput::Kind::republish) continue;
      if (depth < settings_.max_republish_depth && heirs.size() < most) {
        heirs.push_back(std::make_unique<RepublishedMessage>(output, judged, depth + 1));
      }
    }
    return outcome.waits;
  };
  bool waits = judge(message, 0);
  // Judged although the first of them waits: their questions go out together.
  for (std::size_t i = 0; rules_->republishes() && i < heirs.size(); ++i) {
    waits = judge(heirs[i]->message(), heirs[i]->depth()) || waits;
  }
  evaluator_.set_rng(before);
  return waits;
}

bool MessagePipeline::take_or_hold(const DeviceMessage& message, ReceiptSink& sink) {
  using Bug = PipelineSettings::SeededBug;
  conversation_.clear();
  enquiry_.talk(conversation_);
  const bool behind = settings_.bug != Bug::overtake && waiting_.has_lane(message.client_id);
  if (behind) {
    if (rules_->asks()) must_wait(message);  // its questions go out already
  } else if (!rules_->republishes()) {
    if (take(message, &sink)) return true;
  } else if (!rules_->asks() || !must_wait(message)) {
    conversation_.closed = kCannotWait;
    take(message, &sink);
    return true;
  }
  hold(message, sink);
  return false;
}

/// With the questions of conversation_.
void MessagePipeline::hold(const DeviceMessage& message, ReceiptSink& sink) {
  using Bug = PipelineSettings::SeededBug;
  DeviceMessage held = message;
  if (message.delivery_id.empty() && message.source != MessageSource::internal) {
    // What MQTT itself must remember does not wait for rules; of an exactly-once delivery it is one with its records.
    if (add_own(message.own_records, message.received_at) == Stored::yes) held.own_records = {};
  }
  WaitingMessage& waiting =
      waiting_.add(std::make_unique<WaitingMessage>(held, &sink, rules_, evaluator_.rng(), clock_.mono()));
  waiting.conversation = std::move(conversation_);
  conversation_.clear();
  // Its numbers are its own: the next message gets others.
  Rng next = evaluator_.rng();
  evaluator_.set_rng(next.fork());
  ++tally_.waited;
  if (settings_.bug == Bug::settle_early && message.receipt.connection != 0) {
    gathered_receipts_.add(sink, message.receipt, ReceiptStatus::durable);
    waiting.sink = nullptr;
  }
  ask_for(waiting);
}

void MessagePipeline::ask_for(WaitingMessage& waiting) {
  ++waiting.rounds;
  for (std::size_t i = 0; i < waiting.conversation.asked.size(); ++i) {
    Conversation::Asked& one = waiting.conversation.asked[i];
    if (one.answer || one.sent) continue;
    one.sent = true;
    ++waiting.open;
    ++tally_.questions;
    settings_.outside->ask(one.question(), loop_,
                           [this, id = waiting.id, i, alive = alive_](OutsideDesk::Answer answer) {
                             if (*alive) answered(id, i, std::move(answer));
                           });
  }
}

void MessagePipeline::answered(std::uint64_t id, std::size_t question, OutsideDesk::Answer answer) {
  WaitingMessage* const waiting = waiting_.find(id);
  if (waiting == nullptr) return;
  if (answer.state == sql::Outside::State::failed) ++tally_.questions_failed;
  waiting->conversation.asked[question].answer = std::move(answer);
  if (--waiting->open == 0) advance(std::string(waiting->kept.message().client_id));
  metrics_.add(tally_);
}

template <class Judge>
auto MessagePipeline::as_it_came(WaitingMessage& waiting, Judge judge) {
  using Bug = PipelineSettings::SeededBug;
  const Rng mine = evaluator_.rng();
  if (settings_.bug != Bug::new_chance) evaluator_.set_rng(waiting.rng);
  const std::shared_ptr<const rules::RuleSet> now = rules_;
  rules_ = settings_.bug == Bug::new_rules ? slot_.current() : waiting.rules;
  enquiry_.talk(waiting.conversation);
  struct Back {
    MessagePipeline& pipeline;
    const Rng& rng;
    const std::shared_ptr<const rules::RuleSet>& rules;
    Back(MessagePipeline& pipeline_in, const Rng& rng_in, const std::shared_ptr<const rules::RuleSet>& rules_in)
        : pipeline(pipeline_in), rng(rng_in), rules(rules_in) {}
    Back(const Back&) = delete;
    Back& operator=(const Back&) = delete;
    ~Back() {
      pipeline.evaluator_.set_rng(rng);
      pipeline.rules_ = rules;
      pipeline.enquiry_.talk(pipeline.conversation_);
    }
  } const back(*this, mine, now);
  return judge(waiting.kept.message());
}

/// Everything of this client that has its answers, up to the first that has not.
void MessagePipeline::advance(std::string client) {
  while (WaitingMessage* const first = waiting_.front(client)) {
    if (first->open != 0) break;
    const bool late = first->rounds >= kMostRounds || clock_.mono() - first->since > settings_.max_wait;
    if (late) first->conversation.closed = "the message has waited too long to ask more";
    const bool more = !late && as_it_came(*first, [&](const DeviceMessage& message) { return must_wait(message); });
    if (more) {
      ask_for(*first);
      continue;
    }
    if (first->conversation.closed.empty()) first->conversation.closed = kCannotWait;
    as_it_came(*first, [&](const DeviceMessage& message) { return take(message, first->sink); });
    waiting_.pop(client);
  }
  relieve();
}

}  // namespace millrace::pipeline
