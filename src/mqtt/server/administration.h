// Administration: what people do with a running server through REST or the command line: look at sessions, end them,
// publish, ask a device and wait for its answer, trace. Thread: any; answers are posted to the executor that is named.
#pragma once

#include "mqtt/server/exchange.h"
#include "mqtt/server/inspection.h"

namespace millrace::mqtt {

class Administration {
 public:
  explicit Administration(Exchange& exchange) : exchange_(exchange) {}

  using Listed = std::move_only_function<void(std::vector<SessionState>)>;
  /// In order of client id, at most `limit` of them.
  void list(SessionQuery query, Executor& reply_to, Listed listed);
  /// The connection is closed (0x98); with `end_session` its session ends, too, which may wait for nobody.
  /// nullopt: there is no such connection (and no such session). The end of a session is answered when it is on disk;
  /// quota: it has ended, but the log has no room to remember that, so a restart may bring it back.
  using Disconnected = std::move_only_function<void(std::optional<ReceiptStatus>)>;
  void disconnect(std::string client_id, bool end_session, Executor& reply_to, Disconnected done);
  using Published = Settled;
  /// To rules and subscribers as if a device had published it; settled when what it caused is durable. Errors:
  /// invalid_argument, for what is no topic name or one of the server's own.
  Result<void> publish(AdminPublish message, Executor& reply_to, Published published);
  using Heard = std::move_only_function<void(AdminResponse)>;
  /// The same with Response Topic and Correlation Data; `heard` is called when the answer comes, unless forget() is
  /// called before. Without a response topic one is made up that only this request has, so that 3.1.1 devices, which
  /// cannot send Correlation Data, may answer.
  Result<std::uint64_t> request(AdminPublish message, Executor& reply_to, Heard heard);
  /// False when it has been heard.
  bool forget(std::uint64_t request) { return exchange_.responses.remove(request); }
  /// For so many seconds; 0: no more.
  void trace(std::string client_id, std::string filter, std::uint32_t seconds);

 private:
  Exchange& exchange_;
};

}  // namespace millrace::mqtt
