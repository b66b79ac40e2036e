#include "mqtt/server/administration.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/rng.h"
#include "mqtt/protocol/text.h"
#include "mqtt/server/lifecycle_events.h"
#include "mqtt/server/loop_server.h"

namespace millrace::mqtt {

void Administration::list(SessionQuery query, Executor& reply_to, Listed listed) {
  struct Gathering {
    Guarded<std::vector<SessionState>> found;
    std::atomic<std::size_t> open;
    SessionQuery query;
    Listed listed;
  };
  auto gathering = std::make_shared<Gathering>();
  gathering->open = exchange_.peers.size();
  gathering->query = std::move(query);
  gathering->listed = std::move(listed);
  for (const auto& peer : exchange_.peers) {
    peer->executor->post([server = peer->server, gathering, &reply_to] {
      std::vector<SessionState> here = server->inspect(gathering->query);
      gathering->found.with([&](auto& all) { std::ranges::move(here, std::back_inserter(all)); });
      if (--gathering->open != 0) return;
      reply_to.post([gathering] {
        std::vector<SessionState> all = gathering->found.with([](auto& found) { return std::move(found); });
        std::ranges::sort(all, {}, &SessionState::client_id);
        if (all.size() > gathering->query.limit) all.resize(gathering->query.limit);
        gathering->listed(std::move(all));
      });
    });
  }
}

void Administration::disconnect(std::string client_id, bool end_session, Executor& reply_to, Disconnected done) {
  const auto reply = [&reply_to](Disconnected& told, std::optional<ReceiptStatus> status) {
    reply_to.post([status, told = std::move(told)]() mutable { told(status); });
  };
  if (const auto owner = exchange_.registry.connection(client_id)) {
    Peer& home = *exchange_.peers[loop_of(*owner)];
    home.executor->post([server = home.server, id = *owner, end_session, reply, done = std::move(done)]() mutable {
      Connection* const connection = server->find(id);
      if (connection == nullptr) return reply(done, std::nullopt);
      if (end_session) {
        return connection->disconnect_by_admin(
            [reply, done = std::move(done)](ReceiptStatus status) mutable { reply(done, status); });
      }
      connection->disconnect_by_admin();
      reply(done, ReceiptStatus::durable);
    });
    return;
  }
  const auto kept = end_session ? exchange_.registry.evict(client_id) : std::nullopt;
  if (!kept) return reply(done, std::nullopt);
  Peer& home = *exchange_.peers[kept->loop];
  home.executor->post([server = home.server, due = SessionRegistry::Due{std::move(client_id), *kept, true}, reply,
                       done = std::move(done)]() mutable {
    server->end_absent(due, [reply, done = std::move(done)](ReceiptStatus status) mutable { reply(done, status); });
  });
}

Result<void> Administration::publish(AdminPublish message, Executor& reply_to, Published published) {
  const auto valid = protocol::check_topic_name(message.topic);
  if (!valid) return fail(ErrorCode::invalid_argument, "not a topic name", message.topic);
  if (message.topic.starts_with("$SYS") || message.topic.starts_with(kEventTopics)) {
    return fail(ErrorCode::invalid_argument, "a topic of the server's own", message.topic);
  }
  if (message.qos > 2) return fail(ErrorCode::invalid_argument, "qos is 0, 1 or 2");
  Peer& home = *exchange_.peers.front();
  home.executor->post([server = home.server, message = std::move(message), &reply_to,
                       published = std::move(published)]() mutable {
    server->publish_of_admin(message, {}, [&reply_to, published = std::move(published)](ReceiptStatus status) mutable {
      reply_to.post([status, published = std::move(published)]() mutable { published(status); });
    });
  });
  return {};
}

Result<std::uint64_t> Administration::request(AdminPublish message, Executor& reply_to, Heard heard) {
  const std::string token = fmt::format("{:016x}", system_entropy());
  // A topic that only this request has needs no Correlation Data to tell its answer.
  const bool made_up = message.response_topic.empty();
  if (made_up) message.response_topic = "millrace/response/" + token;
  if (!protocol::check_topic_name(message.response_topic)) {
    return fail(ErrorCode::invalid_argument, "the response topic is not a topic name", message.response_topic);
  }
  const std::uint64_t id =
      exchange_.responses.add(message.response_topic, made_up ? std::string() : token,
                              [&reply_to, heard = std::move(heard)](AdminResponse response) mutable {
                                reply_to.post([heard = std::move(heard), response = std::move(response)]() mutable {
                                  heard(std::move(response));
                                });
                              });
  const auto valid = protocol::check_topic_name(message.topic);
  if (!valid || message.qos > 2) {
    exchange_.responses.remove(id);
    return fail(ErrorCode::invalid_argument, "not a topic name, or not a QoS", message.topic);
  }
  Peer& home = *exchange_.peers.front();
  home.executor->post([server = home.server, message = std::move(message), token] {
    server->publish_of_admin(message, token, [](ReceiptStatus) {});
  });
  return id;
}

void Administration::trace(std::string client_id, std::string filter, std::uint32_t seconds) {
  log::info("mqtt_trace_set", {{"client_id", client_id}, {"filter", filter}, {"seconds", seconds}});
  for (const auto& peer : exchange_.peers) {
    peer->executor->post([server = peer->server, client_id, filter, seconds] {
      server->set_trace({client_id, filter, seconds == 0 ? 0 : server->now_s() + seconds});
    });
  }
}

}  // namespace millrace::mqtt
