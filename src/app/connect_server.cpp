#include "app/connect_server.h"

#include <chrono>
#include <cstdlib>
#include <future>

#include "app/build_identity.h"
#include "base/log.h"
#include "base/rng.h"
#include "base/thread_name.h"
#include "connect/rest/routes.h"
#include "io/posix_file_system.h"

namespace millrace::app {
namespace {

/// The Apache Kafka whose REST interface this is; clients choose their features by it.
constexpr std::string_view kConnectVersion = "3.9.1";

constexpr std::chrono::seconds kOpenLimit{60};

std::optional<std::string> variable(std::string_view name) {
  const char* value = std::getenv(std::string(name).c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

}  // namespace

Result<std::unique_ptr<ConnectServer>> ConnectServer::start(const Settings& settings, const net::Address& address,
                                                            Security& security, topics::TopicLog& log,
                                                            topics::OffsetStore& offsets, const Clock& clock,
                                                            metrics::Registry& metrics, io::FileSystem& data) {
  std::unique_ptr<ConnectServer> made(new ConnectServer(data, settings.connect.spill_bytes));
  ConnectServer* const self = made.get();
  MR_TRY_ASSIGN(made->files_, io::PosixFileSystem::open("/"));
  made->surroundings_ = {.clock = &clock,
                         .variable = variable,
                         .files = made->files_.get(),
                         .spill = settings.connect.spill_bytes == 0 ? nullptr : &made->spill_};
  connect::WorkerSettings worker;
  worker.memory_bytes = static_cast<std::int64_t>(settings.connect.memory_bytes);
  worker.bookmark_interval = settings.connect.offset_flush_interval;
  worker.tasks_nice = settings.connect.tasks_nice;
  worker.config_topic = settings.connect.config_topic;
  worker.status_topic = settings.connect.status_topic;
  worker.offset_topic = settings.connect.offset_topic;
  made->worker_ = std::make_unique<connect::Worker>(made->loop_, log, offsets, made->surroundings_, metrics,
                                                    std::move(worker), system_entropy());
  connect::add_routes(made->router_, {.worker = *made->worker_,
                                      .version = std::string(kConnectVersion),
                                      .commit = std::string(build_identity().commit),
                                      .kafka_cluster_id = log.cluster_id().to_string()});
  net::http::ServerOptions options;
  options.read.body_bytes = settings.http.max_body_bytes;
  options.max_connections = static_cast<std::size_t>(settings.http.max_connections);
  options.request_timeout = settings.http.request_timeout;
  options.idle_timeout = settings.http.idle_timeout;
  options.allowed_hosts = settings.http.allowed_hosts;
  options.name = "connect";
  options.layers = security.connect_layers();
  options.guard = security.connect_guard(made->loop_);
  MR_TRY_ASSIGN(made->server_, net::http::Server::listen(made->loop_, address, made->router_, metrics, options));
  made->address_ = made->server_->address();
  made->worker_->set_worker_id(made->address_.to_string());
  const auto opened = std::make_shared<std::promise<Result<void>>>();
  made->loop_.post([self, opened] {
    self->server_->start();
    self->worker_->open([opened](Result<void> result) { opened->set_value(std::move(result)); });
  });
  made->thread_ = std::thread([self] {
    name_this_thread("connect");
    self->loop_.run();
  });
  // Whoever reads the ready line may ask for connectors at once.
  auto outcome = opened->get_future();
  if (outcome.wait_for(kOpenLimit) != std::future_status::ready) {
    return fail(ErrorCode::timed_out, "the connectors' topics could not be read; is the disk full?");
  }
  if (Result<void> result = outcome.get(); !result) return std::unexpected<Error>(std::move(result).error());
  return made;
}

ConnectServer::~ConnectServer() {
  stop();
}

void ConnectServer::stop() {
  if (!thread_.joinable()) return;
  loop_.post([this] { server_->drain(); });
  loop_.stop();
  thread_.join();
  worker_->stop();
}

}  // namespace millrace::app
