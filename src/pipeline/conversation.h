// Conversation: what the rules asked for one message, and what they were told. The same question has the same answer
// for as long as the message is looked at, however often it is judged. Thread: one owner.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/outside_desk.h"

namespace millrace::pipeline {

class Conversation {
 public:
  static constexpr std::size_t kMostQuestions = 64;  // of one message

  struct Asked {
    sql::Reference::Kind kind = sql::Reference::Kind::table;
    std::string name;
    std::string argument;
    std::optional<std::string> sort;
    std::optional<OutsideDesk::Answer> answer{};
    bool sent = false;

    [[nodiscard]] sql::Question question() const {
      return {kind, name, argument, sort ? std::optional<std::string_view>(*sort) : std::nullopt};
    }
  };
  std::deque<Asked> asked{};  // of stable addresses: answers are viewed while a message is judged
  std::vector<std::pair<std::string, std::shared_ptr<const sql::ProtobufSchema>>> schemas{};
  std::string closed{};  // why nothing more is asked; empty: more is

  [[nodiscard]] Asked* find(const sql::Question& question) {
    for (Asked& one : asked) {
      if (one.question() == question) return &one;
    }
    return nullptr;
  }
  [[nodiscard]] std::size_t bytes() const {
    std::size_t sum = 0;
    for (const Asked& one : asked)
      sum += sizeof(Asked) + one.argument.size() + (one.answer ? one.answer->text.size() : 0);
    return sum;
  }
  void clear() {
    asked.clear();
    schemas.clear();
    closed.clear();
  }
};

/// One loop's way to ask: what is asked goes into the conversation of the message that is being judged.
class Enquiry final : public sql::Outside {
 public:
  explicit Enquiry(OutsideDesk* desk) : desk_(desk) {}
  void talk(Conversation& conversation) { conversation_ = &conversation; }

  Answer ask(const sql::Question& question) override {
    if (desk_ == nullptr) return {State::failed, "this server asks nothing"};
    Conversation::Asked* one = conversation_->find(question);
    if (one == nullptr) {
      if (!conversation_->closed.empty()) return {State::failed, conversation_->closed};
      if (conversation_->asked.size() == Conversation::kMostQuestions) {
        return {State::failed, "one message asks no more than 64 questions"};
      }
      one = &conversation_->asked.emplace_back(
          Conversation::Asked{question.kind, std::string(question.name), std::string(question.argument),
                              question.sort ? std::optional<std::string>(*question.sort) : std::nullopt});
      one->answer = desk_->known(question);
    }
    if (!one->answer) return {State::waiting, {}};
    return {one->answer->state, one->answer->text};
  }
  const sql::ProtobufSchema* schema(std::string_view name) override {
    for (const auto& [known, schema] : conversation_->schemas) {
      if (known == name) return schema.get();
    }
    if (desk_ == nullptr) return nullptr;
    return conversation_->schemas.emplace_back(std::string(name), desk_->schema(name)).second.get();
  }

 private:
  OutsideDesk* desk_;
  Conversation* conversation_ = nullptr;
};

}  // namespace millrace::pipeline
