#include "connect/runtime/sink_task.h"

#include "connect/runtime/session.h"

namespace millrace::connect {

SinkTask::SinkTask(TaskHost& host, Setup setup, StateChanged changed)
    : ConnectorTask("sink", setup, std::move(changed)), host_(host), setup_(std::move(setup)) {}

SinkTask::~SinkTask() {
  end();
}

ConnectorTask::Ended SinkTask::run_session() {
  Session session(*this);
  Ended ended{session.run()};
  ended.moved = session.moved();
  ended.finished = session.finished();
  return ended;
}

}  // namespace millrace::connect
