// TicketKeys: what session tickets of one server are sealed with (RFC 5077 section 4): a new key every two hours, which
// is also how long a ticket is good for; the one before opens what it sealed and nothing more. So a key that is stolen
// opens the recorded TLS 1.2 connections of four hours, and memory holds no older one. Private to net. Thread: any.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/clock.h"
#include "base/guarded.h"

struct ssl_ctx_st;

namespace millrace::net {

class TicketKeys {
 public:
  static constexpr std::chrono::seconds kPeriod{7'200};
  using Name = std::array<std::uint8_t, 16>;
  struct Key {
    Name name{};
    std::array<std::uint8_t, 32> cipher{};
    std::array<std::uint8_t, 32> mac{};
    MonoTime since{};
  };

  explicit TicketKeys(const Clock& clock);
  ~TicketKeys();
  TicketKeys(const TicketKeys&) = delete;
  TicketKeys& operator=(const TicketKeys&) = delete;

  /// For new tickets.
  [[nodiscard]] Key current();
  struct Found {
    Key key;
    bool renew = false;  // the client should get a new ticket
  };
  /// nullopt: nobody's, or too old.
  [[nodiscard]] std::optional<Found> find(const Name& name);

  /// Tickets of `context` from now on.
  static void attach(ssl_ctx_st* context, std::shared_ptr<TicketKeys> keys);
  /// What was attached.
  static std::shared_ptr<TicketKeys> of(ssl_ctx_st* context);

 private:
  struct State {
    Key now;
    std::optional<Key> before;
  };
  void turn(State& state) const;

  const Clock& clock_;
  Guarded<State> state_;
};

}  // namespace millrace::net
