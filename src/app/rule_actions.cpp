#include "app/rule_actions.h"

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
      .publish =
          [&loop](std::string topic, std::string payload, std::uint8_t qos, bool retain) {
            loop.loop().post([&loop, topic = std::move(topic), payload = std::move(payload), qos, retain] {
              loop.pipeline().publish(topic, as_bytes(payload), qos, retain);
            });
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
