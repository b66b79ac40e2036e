#include "load/poller.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/assert.h"

namespace millrace::load {

Poller::Poller() : fd_(epoll_create1(EPOLL_CLOEXEC)) {
  MR_ASSERT(fd_ >= 0);
}
Poller::~Poller() {
  ::close(fd_);
}

Result<void> Poller::add(int fd, std::uint32_t id) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.u32 = id;
  if (epoll_ctl(fd_, EPOLL_CTL_ADD, fd, &event) != 0)
    return fail(ErrorCode::io_error, "epoll_ctl", std::strerror(errno));
  return {};
}

std::span<const Poller::Event> Poller::wait(std::uint64_t timeout_ns) {
  int count = -1;
  if (!coarse_) {
    const timespec timeout{static_cast<time_t>(timeout_ns / 1'000'000'000),
                           static_cast<long>(timeout_ns % 1'000'000'000)};
    count = static_cast<int>(syscall(SYS_epoll_pwait2, fd_, raw_.data(), raw_.size(), &timeout, nullptr, 0));
    if (count < 0 && errno == ENOSYS) coarse_ = true;
  }
  if (coarse_) {
    count = epoll_wait(fd_, raw_.data(), static_cast<int>(raw_.size()), static_cast<int>(timeout_ns / 1'000'000));
  }
  if (count <= 0) return {};
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    const std::uint32_t bits = raw_[i].events;
    events_[i] = {raw_[i].data.u32, (bits & (EPOLLIN | EPOLLHUP | EPOLLERR | EPOLLRDHUP)) != 0, (bits & EPOLLOUT) != 0};
  }
  return {events_.data(), static_cast<std::size_t>(count)};
}

}  // namespace millrace::load
