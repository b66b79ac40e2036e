#include "sim/turns.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace millrace::sim {

Turns::~Turns() {
  for (const auto& player : players_) {
    if (player->thread.joinable()) player->thread.join();
  }
}

void Turns::add(std::function<void()> body) {
  players_.push_back(std::make_unique<Player>());
  Player* me = players_.back().get();
  me->thread = std::thread([this, me, body = std::move(body)] {
    {
      std::unique_lock lock(mutex_);
      me->turn.wait(lock, [&] { return current_ == me; });
    }
    body();
    const std::scoped_lock lock(mutex_);
    me->finished = true;
    pass_to(draw());
  });
}

Turns::Player* Turns::draw() {
  std::uint64_t left = 0;
  for (const auto& player : players_) left += player->finished ? 0 : 1;
  if (left == 0) return nullptr;
  std::uint64_t pick = rng_.below(left);
  for (const auto& player : players_) {
    if (!player->finished && pick-- == 0) return player.get();
  }
  return nullptr;
}

void Turns::pass_to(Player* next) {
  ++turns_;
  current_ = next;
  if (next == nullptr) {
    running_ = false;
    over_.notify_all();
  } else {
    next->turn.notify_one();
  }
}

void Turns::yield() {
  std::unique_lock lock(mutex_);
  if (!running_ || current_ == nullptr) return;
  Player* me = current_;
  Player* next = draw();
  if (next == me) return;
  pass_to(next);
  me->turn.wait(lock, [&] { return current_ == me; });
}

void Turns::run() {
  {
    std::unique_lock lock(mutex_);
    running_ = true;
    pass_to(draw());
    while (running_) {
      const std::uint64_t before = turns_;
      if (!over_.wait_for(lock, std::chrono::minutes(1), [this] { return !running_; }) && before == turns_) {
        std::fputs("sim: a thread waits for a lock that is held over I/O\n", stderr);
        std::abort();
      }
    }
  }
  for (const auto& player : players_) player->thread.join();
  players_.clear();
}

}  // namespace millrace::sim
