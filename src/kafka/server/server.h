// Server: the Kafka listener of the program: one socket and one Endpoint per loop.
//
//   kafka::Server server(loops, groups, log, clock, registry, settings);
//   MR_TRY(server.start());            // before or while the loops run
//   server.address();                  // port resolved
//   server.stop(std::chrono::seconds(5));
//
// stop() is called while the loops and the log still run: requests that were taken are answered, waiting fetches are
// answered with what there is. Afterwards, in this order: the log stops, the loops' threads end, this object goes, the
// loops go.
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "kafka/server/settings.h"
#include "metrics/registry.h"
#include "net/loop.h"
#include "topics/topic_log.h"

namespace millrace::kafka {

class Groups;

class Server {
 public:
  /// `groups` are on the same loops in the same order, started, and outlive this; stop() stops them.
  Server(std::vector<net::Loop*> loops, Groups& groups, topics::TopicLog& log, const Clock& clock,
         metrics::Registry& registry, ServerSettings settings);
  ~Server();

  /// Binds every loop's socket and starts accepting. already_exists when the port is taken; invalid_argument for the
  /// address.
  Result<void> start();
  /// The bound address of the first listener, or a further one (from 1). Requires start().
  [[nodiscard]] net::Address address(std::size_t index = 0) const;
  /// Blocks until every connection is closed, at the latest after `grace` (what is left is then aborted). Thread: none
  /// of the loops.
  void stop(std::chrono::milliseconds grace);

 private:
  struct Impl;
  Result<void> bind(std::size_t index);
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::kafka
