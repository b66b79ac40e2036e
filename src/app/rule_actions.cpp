#include "app/rule_actions.h"

#include <future>

#include "base/rng.h"
#include "io/posix_file_system.h"

namespace millrace::app {

Result<std::unique_ptr<RuleActions>> RuleActions::start(const Settings& settings, topics::TopicLog& log,
                                                        topics::OffsetStore& offsets, const Clock& clock,
                                                        const pipeline::RuleSetSlot& rules, LoopThread& loop,
                                                        metrics::Registry& metrics) {
  std::unique_ptr<RuleActions> made(new RuleActions());
  if (!settings.actions.file_dir.empty()) {
    MR_TRY_ASSIGN(made->files_, io::PosixFileSystem::open(settings.actions.file_dir));
  }
  made->surroundings_.clock = &clock;
  actions::DeliveryHost host{
      .log = log,
      .clock = clock,
      .files = made->files_.get(),
      .connections = static_cast<std::size_t>(settings.actions.connections),
      .publish = [&loop](const actions::DeliveryHost::Publication& publication) -> Result<void> {
        auto answer = std::make_shared<std::promise<bool>>();
        auto durable = answer->get_future();
        loop.loop().post([&loop, publication, answer] {
          const OwnRecord mark{actions::kMarkTopic, as_bytes(publication.mark), ByteView{}};
          loop.pipeline().publish(publication.topic, as_bytes(publication.payload), publication.qos, publication.retain,
                                  {&mark, 1}, [answer](bool fine) { answer->set_value(fine); });
        });
        constexpr std::chrono::seconds kPatience{60};
        if (durable.wait_for(kPatience) != std::future_status::ready) {
          return fail(ErrorCode::timed_out, "an errorAction's message did not become durable");
        }
        if (!durable.get()) return fail(ErrorCode::unavailable, "an errorAction's message could be stored nowhere");
        return {};
      },
      .counters = [&rules](std::string_view name) -> std::shared_ptr<rules::RuleCounters> {
        const auto current = rules.current();
        const rules::Rule* const rule = current->find(name);
        return rule == nullptr ? nullptr : rule->counters;
      }};
  actions::DeliveryService::Options options;
  options.bookmark_interval = settings.connect.offset_flush_interval;
  options.seed = system_entropy();
  made->service_ =
      std::make_unique<actions::DeliveryService>(std::move(host), offsets, made->surroundings_, metrics, options);
  made->service_->start();
  return made;
}

}  // namespace millrace::app
