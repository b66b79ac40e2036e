#include "references/reference_store.h"

#include <algorithm>
#include <array>

#include "base/log.h"

namespace millrace::references {
namespace {

std::string key_of(Kind kind, std::string_view name) {
  return std::string(sql::to_string(kind)) + "/" + std::string(name);
}

}  // namespace

void ReferenceStore::open(topics::TopicLog& log, const Clock& clock, Executor& loop, ReferenceDesk& desk,
                          std::vector<Definition> configured, UsedBy used_by, Opened opened) {
  std::shared_ptr<ReferenceStore> store(new ReferenceStore(desk, std::move(configured), std::move(used_by)));
  topics::TableTopic::open(
      log, clock, loop, {.name = std::string(kReferenceTopic), .config = {{"max.message.bytes", "16777216"}}},
      [store](ByteView key, std::optional<ByteView> value) { store->visit(as_text(key), value); },
      [store, opened = std::move(opened)](Result<std::shared_ptr<topics::TableTopic>> table) mutable {
        if (!table) return opened(std::unexpected<Error>(std::move(table).error()));
        store->table_ = std::move(*table);
        for (const auto& [key, definition] : store->stored_) store->desk_.put(definition);
        for (const Definition& definition : store->configured_) store->desk_.put(definition);
        opened(store);
      });
}

void ReferenceStore::visit(std::string_view key, std::optional<ByteView> value) {
  constexpr std::array kKinds = {Kind::table, Kind::function, Kind::descriptor};
  const std::size_t slash = key.find('/');
  const auto kind = std::ranges::find(kKinds, key.substr(0, slash), [](Kind one) { return sql::to_string(one); });
  if (slash == std::string_view::npos || kind == kKinds.end()) return;
  const Key which(*kind, std::string(key.substr(slash + 1)));
  stored_.erase(which);
  if (!value) return;
  const auto node = config::parse_yaml(as_text(*value), kReferenceTopic);
  auto parsed = node ? parse_definition(*kind, which.second, *node) : std::unexpected<Error>(node.error());
  if (!parsed) {
    log::warn("stored_reference_unreadable", {{"name", key}, {"reason", parsed.error().message()}});
    return;
  }
  stored_.emplace(which, std::move(*parsed));
}

const Definition* ReferenceStore::configured(Kind kind, std::string_view name) const {
  const auto found =
      std::ranges::find_if(configured_, [&](const Definition& one) { return one.kind == kind && one.name == name; });
  return found == configured_.end() ? nullptr : &*found;
}

void ReferenceStore::put(Definition definition, Done done) {
  const Key key(definition.kind, definition.name);
  if (configured(key.first, key.second) != nullptr) {
    return done(fail(ErrorCode::invalid_argument, "reference", key.second + " stands in the configuration"));
  }
  if (!stored_.contains(key) && stored_.size() >= kMost) {
    return done(fail(ErrorCode::too_large, "reference", "there are 10,000 tables, functions and descriptors"));
  }
  const std::string value = to_json(definition, false);
  stored_.insert_or_assign(key, definition);
  table_->put(as_bytes(key_of(key.first, key.second)), as_bytes(value),
              [self = shared_from_this(), definition = std::move(definition),
               done = std::move(done)](Result<void> result) mutable {
                if (result) self->desk_.put(definition);
                done(std::move(result));
              });
}

void ReferenceStore::remove(Kind kind, const std::string& name, Done done) {
  if (configured(kind, name) != nullptr) {
    return done(fail(ErrorCode::invalid_argument, "reference", name + " stands in the configuration"));
  }
  const auto found = stored_.find({kind, name});
  if (found == stored_.end()) return done(fail(ErrorCode::not_found, "reference", name));
  if (const std::string rule = used_by_(kind, name); !rule.empty()) {
    return done(fail(ErrorCode::invalid_argument, "reference", name + " is named by the rule " + rule));
  }
  stored_.erase(found);
  table_->put(as_bytes(key_of(kind, name)), std::nullopt,
              [self = shared_from_this(), kind, name, done = std::move(done)](Result<void> result) mutable {
                if (result) self->desk_.remove(kind, name);
                done(std::move(result));
              });
}

std::optional<ReferenceStore::Listed> ReferenceStore::find(Kind kind, std::string_view name) const {
  if (const Definition* const fixed = configured(kind, name)) return Listed{fixed, true};
  const auto found = stored_.find({kind, std::string(name)});
  if (found == stored_.end()) return std::nullopt;
  return Listed{&found->second, false};
}

std::vector<ReferenceStore::Listed> ReferenceStore::list(Kind kind) const {
  std::vector<Listed> out;
  for (const Definition& definition : configured_) {
    if (definition.kind == kind) out.push_back({&definition, true});
  }
  for (const auto& [key, definition] : stored_) {
    if (key.first == kind) out.push_back({&definition, false});
  }
  std::ranges::sort(out, {}, [](const Listed& one) -> const std::string& { return one.definition->name; });
  return out;
}

}  // namespace millrace::references
