// Identity: who a connection speaks for, once that is settled.
#pragma once

#include <cstdint>
#include <string>

namespace millrace::auth {

enum class Proof : std::uint8_t {
  none,         // nobody asked
  password,     // of the connection's own protocol, or SASL PLAIN
  scram,        // RFC 5802
  certificate,  // the client's, on TLS
};

struct Identity {
  std::string name;  // the user's; of a certificate its common name; empty: anonymous
  Proof proof = Proof::none;
  [[nodiscard]] bool anonymous() const { return proof == Proof::none; }
};

}  // namespace millrace::auth
