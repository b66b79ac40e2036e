// Protobuf bytes written by hand, for tests: values, fields, and descriptors of messages.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>

namespace millrace::sql::testing {

inline std::string varint(std::uint64_t value) {
  std::string out;
  while (value >= 0x80) {
    out += static_cast<char>((value & 0x7FU) | 0x80U);
    value >>= 7U;
  }
  return out + static_cast<char>(value);
}
inline std::string tag(std::uint32_t number, std::uint32_t type) {
  return varint((std::uint64_t{number} << 3U) | type);
}
inline std::string number(std::uint32_t field, std::uint64_t value) {
  return tag(field, 0) + varint(value);
}
inline std::string bytes(std::uint32_t field, const std::string& value) {
  return tag(field, 2) + varint(value.size()) + value;
}
template <class T>
std::string fixed(std::uint32_t field, T value) {
  std::string out(sizeof value, '\0');
  std::memcpy(out.data(), &value, sizeof value);
  return tag(field, sizeof value == 8 ? 1 : 5) + out;
}

/// One field of descriptor.proto's DescriptorProto; `type` is FieldDescriptorProto's number.
inline std::string field(const std::string& name, std::uint32_t place, int type, bool repeated = false,
                         const std::string& type_name = "") {
  std::string out =
      bytes(1, name) + number(3, place) + number(4, repeated ? 3 : 1) + number(5, static_cast<std::uint64_t>(type));
  if (!type_name.empty()) out += bytes(6, type_name);
  return bytes(2, out);
}
/// A map's pairs, as a message inside of another.
inline std::string map_entry(const std::string& name, int key, int value, const std::string& value_type = "") {
  return bytes(
      3, bytes(1, name) + field("key", 1, key) + field("value", 2, value, false, value_type) + bytes(7, number(7, 1)));
}

/// package car; message Trip { every type of field }, message Trip.Place, enum Color.
inline std::string trip_descriptor() {
  const std::string color =
      bytes(1, "Color") + bytes(2, bytes(1, "RED") + number(2, 0)) + bytes(2, bytes(1, "BLUE") + number(2, 7));
  const std::string place =
      bytes(1, "Place") + field("lat", 1, 1) + field("lon", 2, 2) + field("next", 3, 11, false, ".car.Trip.Place");
  const std::string trip =
      bytes(1, "Trip") + field("id", 1, 9) + field("speed", 2, 5) + field("big", 3, 4) + field("delta", 4, 18) +
      field("at", 5, 11, false, ".car.Trip.Place") + field("samples", 6, 13, true) + field("names", 7, 9, true) +
      field("ok", 8, 8) + field("raw", 9, 12) + field("color", 10, 14, false, ".car.Color") +
      field("labels", 11, 11, true, ".car.Trip.LabelsEntry") + field("stamp", 12, 6) + field("small", 13, 17) +
      field("reals", 14, 1, true) + field("places", 15, 11, true, ".car.Trip.Place") +
      field("flags", 16, 11, true, ".car.Trip.FlagsEntry") + field("below", 17, 15) + field("signed", 18, 3) +
      field("half", 19, 2) + field("colors", 20, 14, true, ".car.Color") + bytes(3, place) +
      map_entry("LabelsEntry", 9, 5) + map_entry("FlagsEntry", 8, 11, ".car.Trip.Place");
  return bytes(1, bytes(1, "car.proto") + bytes(2, "car") + bytes(4, trip) + bytes(5, color));
}

}  // namespace millrace::sql::testing
