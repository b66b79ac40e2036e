// Any bytes on a connection: the input is fed in pieces of changing size to a server with a log in memory. Two topics
// exist, so that well-formed requests do something. Frames whose size field is wild are made sane now and then, or
// little would get past it.
#include <cstdint>

#include "auth/acls.h"
#include "base/endian.h"
#include "base/log.h"
#include "kafka/groups/groups.h"
#include "kafka/testing/manual_executor.h"
#include "kafka/testing/memory_topic_log.h"
#include "kafka/testing/wire_client.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace;
  using namespace millrace::kafka;
  using namespace millrace::kafka::testing;
  if (size == 0) return 0;
  log::set_level(log::Level::off);
  ManualClock clock;
  ManualExecutor executor(clock);
  MemoryTopicLog topic_log;
  (void)topic_log.create({.name = "t", .partitions = 2, .config = {}});
  metrics::Registry registry;
  ServerMetrics metrics(registry);
  ServerSettings settings;
  settings.max_partitions_per_topic = 10;
  auth::Acls acls;
  if ((data[0] & 4) != 0) settings.acls = &acls;
  if ((data[0] & 8) != 0) settings.super_users = {"ANONYMOUS"};
  Groups groups({&executor}, topic_log, clock, registry, GroupSettings{}, 1, &executor);
  groups.start();
  executor.run();
  auto endpoint = std::make_unique<Endpoint>(executor, executor, groups, topic_log, clock, metrics, settings);
  WireClient client(*endpoint, executor);
  const std::size_t step = 1 + data[0];
  ByteView left(data + 1, size - 1);
  while (!left.empty()) {
    const ByteView piece = left.first(std::min(left.size(), step));
    if ((data[0] & 1) != 0) {
      std::uint8_t length[4];
      store_be(length, static_cast<std::int32_t>(piece.size()));
      client.feed(as_text(ByteView(length)));
    }
    client.feed(as_text(piece));
    executor.run();
    if ((data[0] & 2) != 0) executor.advance(std::chrono::milliseconds(300));  // rebalances take their time
    left = left.subspan(piece.size());
  }
  executor.advance(std::chrono::hours(1));
  endpoint.reset();  // its streams write into the client as they go
  return 0;
}
