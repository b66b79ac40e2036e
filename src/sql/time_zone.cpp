#include "sql/time_zone.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <memory>

#include "base/byte_reader.h"
#include "base/guarded.h"
#include "sql/posix_rule_reader.h"

namespace millrace::sql {

namespace {

constexpr std::size_t kMaxZoneFile = 256_KiB;
constexpr std::int64_t kDay = 86'400;

/// The parts of a zone name, so that a rule cannot name a file elsewhere.
bool is_zone_name(std::string_view name) {
  if (name.empty() || name.size() > 64 || name.front() == '/' || name.find("..") != std::string_view::npos)
    return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' || c == '_' ||
           c == '-' || c == '+';
  });
}

/// "+09:00" or "-0330"; false when it is not that.
bool parse_fixed(std::string_view name, std::int32_t& seconds) {
  if (name.size() != 6 && name.size() != 5) return false;
  if (name[0] != '+' && name[0] != '-') return false;
  std::string digits(name.substr(1));
  if (digits.size() == 5) {
    if (digits[2] != ':') return false;
    digits.erase(2, 1);
  }
  if (!std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; })) return false;
  const int hours = (digits[0] - '0') * 10 + (digits[1] - '0');
  const int minutes = (digits[2] - '0') * 10 + (digits[3] - '0');
  if (hours > 23 || minutes > 59) return false;
  seconds = (hours * 60 + minutes) * 60 * (name[0] == '-' ? -1 : 1);
  return true;
}

struct Counts {
  std::uint32_t utc_flags, standard_flags, leaps, transitions, types, characters;
  [[nodiscard]] std::uint64_t body(std::uint64_t time_size) const {
    return transitions * time_size + transitions + std::uint64_t{types} * 6 + characters + leaps * (time_size + 4) +
           standard_flags + utc_flags;
  }
};

bool read_header(ByteReader& in, std::uint8_t& version, Counts& counts) {
  if (in.text(4) != "TZif") return false;
  version = in.u8();
  in.skip(15);
  counts.utc_flags = in.be<std::uint32_t>();
  counts.standard_flags = in.be<std::uint32_t>();
  counts.leaps = in.be<std::uint32_t>();
  counts.transitions = in.be<std::uint32_t>();
  counts.types = in.be<std::uint32_t>();
  counts.characters = in.be<std::uint32_t>();
  return in.ok();
}

bool read_file(const std::string& path, std::vector<std::uint8_t>& out) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (!file) return false;
  out.resize(kMaxZoneFile);
  out.resize(std::fread(out.data(), 1, out.size(), file.get()));
  return !out.empty();
}

}  // namespace

std::int64_t days_from_civil(std::int64_t year, unsigned month, unsigned day) {
  // Years start in March, so that the leap day is a year's last day.
  const std::int64_t shifted = year - (month <= 2 ? 1 : 0);
  const std::int64_t era = (shifted >= 0 ? shifted : shifted - 399) / 400;
  const std::int64_t year_of_era = shifted - era * 400;
  const std::int64_t month_from_march = (std::int64_t{month} + 9) % 12;
  const std::int64_t day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
  return era * 146'097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719'468;
}

std::int64_t TimeZone::Change::in_year(std::int64_t year) const {
  std::int64_t at = 0;
  if (kind == 'M') {
    const std::int64_t first = days_from_civil(year, static_cast<unsigned>(month), 1);
    const std::int64_t weekday = ((first + 4) % 7 + 7) % 7;  // 1970-01-01 was a Thursday; 0 is Sunday
    at = first + (day - weekday + 7) % 7 + (week - 1) * 7;
    const std::int64_t next =
        month == 12 ? days_from_civil(year + 1, 1, 1) : days_from_civil(year, static_cast<unsigned>(month) + 1, 1);
    while (at >= next) at -= 7;
  } else {
    at = days_from_civil(year, 1, 1) + day;
    if (kind == 'J') {
      const bool leap = days_from_civil(year, 3, 1) - days_from_civil(year, 2, 1) == 29;
      at += leap && day >= 60 ? 0 : -1;
    }
  }
  return at * kDay + second;
}

TimeZone TimeZone::fixed(std::string name, std::int32_t seconds, std::string abbreviation) {
  TimeZone zone;
  zone.name_ = std::move(name);
  zone.types_.push_back(Type{seconds, std::move(abbreviation)});
  return zone;
}

const TimeZone& TimeZone::utc() {
  static const TimeZone zone = fixed("UTC", 0, "UTC");
  return zone;
}

const TimeZone* TimeZone::find(std::string_view name) {
  if (name == "UTC" || name == "Z" || name == "GMT" || name == "Etc/UTC") return &utc();
  struct Known {
    std::map<std::string, std::unique_ptr<TimeZone>, std::less<>> zones;
  };
  static Guarded<Known> known;
  return known.with([&](Known& state) -> const TimeZone* {
    if (const auto found = state.zones.find(name); found != state.zones.end()) return found->second.get();
    std::unique_ptr<TimeZone> zone;
    std::int32_t seconds = 0;
    std::vector<std::uint8_t> bytes;
    if (parse_fixed(name, seconds)) {
      zone.reset(new TimeZone(fixed(std::string(name), seconds, std::string(name))));
    } else if (is_zone_name(name) && read_file("/usr/share/zoneinfo/" + std::string(name), bytes)) {
      auto parsed = parse(name, bytes);
      if (parsed) zone.reset(new TimeZone(std::move(*parsed)));
    }
    // Names that do not exist are not remembered: they may come from payloads, and there is no end of them.
    if (!zone) return nullptr;
    return state.zones.emplace(std::string(name), std::move(zone)).first->second.get();
  });
}

Result<TimeZone> TimeZone::parse(std::string_view name, ByteView tzif) {
  const auto malformed = [&] { return fail(ErrorCode::malformed, "time zone", std::string(name)); };
  ByteReader in(tzif);
  std::uint8_t version = 0;
  Counts counts{};
  if (!read_header(in, version, counts)) return malformed();
  std::size_t time_size = 4;
  if (version >= '2') {
    // The first block is for readers of 32-bit times; the real one follows.
    if (!in.fits(counts.body(4), 1)) return malformed();
    in.skip(counts.body(4));
    if (!read_header(in, version, counts)) return malformed();
    time_size = 8;
  }
  if (counts.types == 0 || counts.types > 255 || !in.fits(counts.body(time_size), 1)) return malformed();
  TimeZone zone;
  zone.name_ = std::string(name);
  for (std::uint32_t i = 0; i < counts.transitions; ++i) {
    zone.transitions_.push_back(time_size == 8 ? in.be<std::int64_t>() : in.be<std::int32_t>());
  }
  for (std::uint32_t i = 0; i < counts.transitions; ++i) {
    zone.types_at_.push_back(in.u8());
    if (zone.types_at_.back() >= counts.types) return malformed();
  }
  std::vector<std::uint8_t> name_at;
  std::size_t standard = counts.types;
  for (std::uint32_t i = 0; i < counts.types; ++i) {
    zone.types_.push_back(Type{in.be<std::int32_t>(), {}});
    if (in.u8() == 0 && standard == counts.types) standard = i;
    name_at.push_back(in.u8());
  }
  const std::string_view names = in.text(counts.characters);
  for (std::size_t i = 0; i < counts.types; ++i) {
    if (name_at[i] >= names.size()) return malformed();
    const std::string_view rest = names.substr(name_at[i]);
    zone.types_[i].abbreviation = std::string(rest.substr(0, rest.find('\0')));
  }
  in.skip(counts.leaps * (time_size + 4) + counts.standard_flags + counts.utc_flags);
  if (!in.ok() || !std::is_sorted(zone.transitions_.begin(), zone.transitions_.end())) return malformed();
  zone.first_ = 0;
  if (time_size == 8 && in.remaining() > 2) {
    std::string_view footer = in.text(in.remaining());
    if (footer.front() == '\n' && footer.back() == '\n') {
      footer = footer.substr(1, footer.size() - 2);
      if (!footer.empty()) {
        if (!PosixRuleReader(footer).read(zone.rule_)) return malformed();
        zone.has_rule_ = true;
      }
    }
  }
  return zone;
}

ZoneOffset TimeZone::at(std::int64_t second) const {
  const auto of = [](const Type& type) { return ZoneOffset{type.seconds, type.abbreviation}; };
  const auto behind = std::upper_bound(transitions_.begin(), transitions_.end(), second);
  if (behind == transitions_.end() && has_rule_) {
    if (!rule_.has_daylight) return of(rule_.standard);
    // The year in standard time is near enough: the changes of a year lie within it.
    const std::int64_t local = second + rule_.standard.seconds;
    const std::int64_t days = (local >= 0 ? local : local - (kDay - 1)) / kDay;
    std::int64_t year = 1970 + (days >= 0 ? days / 366 : days / 365 - 1);
    while (days_from_civil(year + 1, 1, 1) <= days) ++year;
    const std::int64_t start = rule_.start.in_year(year) - rule_.standard.seconds;
    const std::int64_t end = rule_.end.in_year(year) - rule_.daylight.seconds;
    const bool daylight = start < end ? second >= start && second < end : second < end || second >= start;
    return of(daylight ? rule_.daylight : rule_.standard);
  }
  if (behind == transitions_.begin()) return of(types_[first_]);
  return of(types_[types_at_[static_cast<std::size_t>(behind - transitions_.begin()) - 1]]);
}

}  // namespace millrace::sql
