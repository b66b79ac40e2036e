#include "mqtt/session/session.h"

#include <algorithm>
#include <charconv>

namespace millrace::mqtt {

Offset Session::cursor(Offset fed) const {
  Offset smallest = backlog.empty() ? fed : backlog.front();
  in_flight.for_each([&](std::uint16_t, FlightState, std::uint8_t, const OutboundMessage* kept) {
    if (kept != nullptr && kept->offset != kNoOffset) smallest = std::min(smallest, kept->offset);
  });
  return smallest;
}

void append_delivery_id(std::string& out, std::string_view client_id, std::uint16_t packet_id) {
  char digits[5];
  const auto end = std::to_chars(digits, digits + sizeof digits, packet_id).ptr;
  out.append(client_id);
  out.push_back('\0');
  out.append(digits, end);
}

std::optional<DeliveryId> parse_delivery_id(std::string_view id) {
  const std::size_t zero = id.rfind('\0');
  if (zero == std::string_view::npos) return std::nullopt;
  DeliveryId parsed{id.substr(0, zero), 0};
  const std::string_view digits = id.substr(zero + 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), parsed.packet_id);
  if (error != std::errc{} || end != digits.data() + digits.size() || parsed.packet_id == 0) return std::nullopt;
  return parsed;
}

}  // namespace millrace::mqtt
