#include "mqtt/session/retained_store.h"

#include "mqtt/protocol/text.h"

namespace millrace::mqtt {
namespace {

// What every topic that matches must start with: the levels before the first wildcard. For "a/#" that is "a", which
// matches too.
std::string_view literal_prefix(std::string_view filter) {
  const std::size_t wildcard = filter.find_first_of("+#");
  if (wildcard == std::string_view::npos) return filter;
  if (filter[wildcard] == '#' && wildcard != 0) return filter.substr(0, wildcard - 1);
  return filter.substr(0, wildcard);
}

}  // namespace

bool RetainedStore::has_room(const Owner& owner, bool is_its_own, std::size_t size, std::size_t freed) const {
  if (limits_.max_messages_per_owner != 0 && !is_its_own && owner.messages >= limits_.max_messages_per_owner) {
    return false;
  }
  return limits_.max_bytes_per_owner == 0 ||
         owner.bytes - (is_its_own ? freed : 0) + size <= limits_.max_bytes_per_owner;
}

RetainedStore::Outcome RetainedStore::set(const Message& message, std::uint32_t now_s, std::string_view owner) {
  const auto at = messages_.find(message.topic);
  if (message.payload.empty()) {
    if (at == messages_.end()) return Outcome::nothing_to_clear;
    erase(at);
    return Outcome::cleared;
  }
  const std::size_t size = message.topic.size() + message.payload.size() + message.properties.size();
  const std::size_t freed = at == messages_.end() ? 0 : at->second.message->size_bytes();
  if (bytes_ - freed + size > limits_.max_bytes) return Outcome::full;
  if (at == messages_.end() && messages_.size() >= limits_.max_messages) return Outcome::full;
  const auto known = owners_.find(owner);
  if (!owner.empty()) {
    const bool is_its_own = at != messages_.end() && known != owners_.end() && at->second.owner == known;
    if (!has_room(known == owners_.end() ? Owner{} : known->second, is_its_own, size, freed)) return Outcome::full;
  }
  auto kept = std::make_shared<const SharedMessage>(message, now_s);
  // Before the old one goes, so that an owner who has only this one stays known.
  auto pays = owner.empty() ? owners_.end() : known;
  if (!owner.empty() && pays == owners_.end()) pays = owners_.try_emplace(std::string(owner)).first;
  if (pays != owners_.end()) {
    ++pays->second.messages;
    pays->second.bytes += kept->size_bytes();
  }
  if (at != messages_.end()) erase(at);
  bytes_ += kept->size_bytes();
  const std::string_view topic = kept->message().topic;
  messages_.emplace(topic, Kept{std::move(kept), pays});
  return Outcome::stored;
}

SharedMessagePtr RetainedStore::find(std::string_view topic) const {
  const auto at = messages_.find(topic);
  return at == messages_.end() ? nullptr : at->second.message;
}

void RetainedStore::erase(Messages::iterator at) {
  const SharedMessagePtr last_use = std::move(at->second.message);  // the key views it
  bytes_ -= last_use->size_bytes();
  if (const auto owner = at->second.owner; owner != owners_.end()) {
    owner->second.bytes -= last_use->size_bytes();
    if (--owner->second.messages == 0) owners_.erase(owner);
  }
  messages_.erase(at);
}

void RetainedStore::next(std::string_view filter, Walk& walk, const Piece& piece,
                         std::vector<SharedMessagePtr>& into) const {
  const std::string_view prefix = literal_prefix(filter);
  if (prefix.size() == filter.size()) {  // no wildcard
    if (const SharedMessagePtr only = find(filter)) into.push_back(only);
    walk.done = true;
    return;
  }
  std::size_t messages = 0;
  std::size_t bytes = 0;
  std::size_t looked_at = 0;
  auto at = walk.after.empty() ? messages_.lower_bound(prefix) : messages_.upper_bound(walk.after);
  for (; at != messages_.end() && at->first.starts_with(prefix); ++at) {
    if (messages >= piece.max_messages || bytes >= piece.max_bytes || looked_at >= piece.max_looked_at) return;
    ++looked_at;
    walk.after = at->first;
    if (!protocol::matches_filter(filter, at->first)) continue;
    into.push_back(at->second.message);
    ++messages;
    bytes += at->second.message->size_bytes();
  }
  walk.done = true;
}

std::vector<std::string> RetainedStore::expire(Walk& walk, std::size_t max_looked_at, std::uint32_t now_s) {
  std::vector<std::string> topics;
  auto at = walk.after.empty() ? messages_.begin() : messages_.upper_bound(walk.after);
  for (std::size_t i = 0; i < max_looked_at && at != messages_.end(); ++i) {
    walk.after = at->first;
    const auto next = std::next(at);
    if (!at->second.message->at(now_s)) {
      topics.push_back(walk.after);
      erase(at);
    }
    at = next;
  }
  if (at == messages_.end()) walk = {};
  return topics;
}

}  // namespace millrace::mqtt
