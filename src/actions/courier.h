// Courier: carries the requests of one chain to their destinations, one behind the other over one kept connection.
// Waiting requests to the same destination that allow it are joined into one JSON array. Thread: one at a time.
#pragma once

#include <atomic>
#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "actions/delivery_host.h"
#include "actions/line_files.h"
#include "base/buffer.h"
#include "model/ids.h"
#include "net/http/client.h"
#include "rules/delivery.h"

namespace millrace::actions {

/// What became of one request so far; kept while its delivery comes again.
struct RequestProgress {
  enum class State : std::uint8_t { pending, taken, failed };
  State state = State::pending;
  std::string reason;         // failed
  std::string answer;         // taken: the answer's body, when the request wants it kept
  bool answer_waits = false;  // it is not in the log yet
};

/// One request of one delivery.
struct Errand {
  const rules::Delivery* delivery = nullptr;
  const rules::DeliveryRequest* request = nullptr;
  RequestProgress* progress = nullptr;
  std::int32_t partition = 0;
  Offset offset;
  std::size_t number = 0;  // within the delivery
};

class Courier {
 public:
  Courier(const DeliveryHost& host, LineFiles& files, const std::atomic<bool>& stopping)
      : host_(host), files_(files), stopping_(stopping), client_({}, &stopping) {}

  struct Delay {
    std::optional<Error> error;  // why the chain stopped; none: it came to its end
    std::optional<std::chrono::milliseconds> retry_after;
  };
  /// Takes the errands in order until one must be tried again later: those behind it stay pending.
  Delay run(std::span<const Errand> chain);

 private:
  /// How many errands from the front share one request.
  [[nodiscard]] static std::size_t batch_of(std::span<const Errand> chain);
  /// False: to be tried again later, `delay` says why.
  bool send(std::span<const Errand> batch, Delay& delay);
  bool append_line(const Errand& errand, Delay& delay);
  /// The destination does not take them now: true when their time is over, and they have failed.
  bool give_up(std::span<const Errand> batch, const Error& error);
  net::http::ClientRequest request_of(std::span<const Errand> batch);

  const DeliveryHost& host_;
  LineFiles& files_;
  const std::atomic<bool>& stopping_;
  net::http::Client client_;
  std::chrono::milliseconds timeout_{0};
  Buffer body_;
};

}  // namespace millrace::actions
