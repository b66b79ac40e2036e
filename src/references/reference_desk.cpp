#include "references/reference_desk.h"

#include "base/thread_name.h"
#include "references/postgres_table.h"
#include "references/topic_table.h"

namespace millrace::references {

ReferenceDesk::ReferenceDesk(topics::TopicLog& log, const Clock& clock, metrics::Registry& metrics)
    : log_(log), clock_(clock), thread_([this] {
        name_this_thread("references");
        loop_.run();
      }) {
  const auto gauge = [&](std::string_view name, std::string_view help, std::uint64_t Table::Status::* number) {
    metrics.collect_gauge(name, help, [this, number] {
      std::vector<metrics::Registry::Sample> samples;
      for (const auto& [table_name, table] : all_.with([](const All& all) { return all.tables; })) {
        samples.emplace_back(metrics::Labels{{"table", table_name}}, static_cast<double>(table->status().*number));
      }
      return samples;
    });
  };
  gauge("millrace_reference_table_rows", "Rows of reference tables in memory", &Table::Status::rows);
  gauge("millrace_reference_table_bytes", "Bytes of reference tables in memory", &Table::Status::bytes);
}

void ReferenceDesk::put(const Definition& definition) {
  remove(definition.kind, definition.name);
  switch (definition.kind) {
    case Kind::table: {
      std::shared_ptr<Table> made;
      if (definition.topic.empty()) {
        made = std::make_shared<PostgresTable>(definition, clock_);
      } else {
        auto table = std::make_shared<TopicTable>(log_, clock_, loop_, definition.topic, definition.max_bytes);
        table->start();
        made = std::move(table);
      }
      all_.with([&](All& all) { all.tables[definition.name] = std::move(made); });
      break;
    }
    case Kind::function:
      all_.with([&](All& all) { all.functions[definition.name] = std::make_shared<HttpFunction>(definition, clock_); });
      break;
    case Kind::descriptor:
      if (auto parsed = sql::ProtobufSchema::parse(as_bytes(definition.descriptor_set))) {
        all_.with([&](All& all) { all.schemas[definition.name] = std::move(*parsed); });
      }
      break;
  }
}

void ReferenceDesk::remove(Kind kind, std::string_view name) {
  std::shared_ptr<Table> table;
  std::shared_ptr<HttpFunction> function;
  all_.with([&](All& all) {
    const auto take = [&](auto& named) {
      const auto found = named.find(name);
      if (found == named.end()) return typename std::remove_reference_t<decltype(named)>::mapped_type();
      auto out = std::move(found->second);
      named.erase(found);
      return out;
    };
    if (kind == Kind::table) table = take(all.tables);
    if (kind == Kind::function) function = take(all.functions);
    if (kind == Kind::descriptor) take(all.schemas);
  });
  // Outside of the lock: they wait for their threads.
  if (table) table->stop();
  if (function) function->stop();
}

std::optional<std::string> ReferenceDesk::problem_with(const sql::Reference& reference) const {
  const auto missing = [&] {
    return "there is no " + std::string(sql::to_string(reference.kind)) + " '" + std::string(reference.name) + "'";
  };
  switch (reference.kind) {
    case Kind::table:
      if (!find(&All::tables, reference.name)) return missing();
      break;
    case Kind::function:
      if (!find(&All::functions, reference.name)) return missing();
      break;
    case Kind::descriptor: {
      const auto found = find(&All::schemas, reference.name);
      if (!found) return missing();
      if (!found->has(reference.message)) {
        return "the descriptor '" + std::string(reference.name) + "' has no message " + std::string(reference.message);
      }
      break;
    }
  }
  return std::nullopt;
}

std::shared_ptr<Table> ReferenceDesk::table(std::string_view name) const {
  return find(&All::tables, name);
}

std::optional<Answer> ReferenceDesk::known(const sql::Question& question) {
  if (question.kind != Kind::table) return std::nullopt;
  const auto found = find(&All::tables, question.name);
  return found ? found->known({question.argument, question.sort}) : std::nullopt;
}

void ReferenceDesk::ask(const sql::Question& question, Executor& loop, Done done) {
  if (question.kind == Kind::table) {
    if (const auto found = find(&All::tables, question.name)) {
      return found->ask({question.argument, question.sort}, loop, std::move(done));
    }
  } else if (const auto found = find(&All::functions, question.name)) {
    return found->ask(question.argument, loop, std::move(done));
  }
  loop.post([done = std::move(done)]() mutable { done({State::failed, "there is none of this name any more"}); });
}

std::shared_ptr<const sql::ProtobufSchema> ReferenceDesk::schema(std::string_view name) {
  return find(&All::schemas, name);
}

void ReferenceDesk::stop() {
  if (!thread_.joinable()) return;
  All all = all_.with([](All& held) { return std::exchange(held, {}); });
  for (const auto& [name, table] : all.tables) table->stop();
  for (const auto& [name, function] : all.functions) function->stop();
  loop_.stop();
  thread_.join();
  const auto table = log_.table();
  for (const auto& [name, topic] : table->topics) {
    for (const auto& partition : topic->partitions) partition->cancel_waits(loop_);
  }
}

}  // namespace millrace::references
