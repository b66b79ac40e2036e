// Schema: the rows of one settings object, and what is made from them: reading a document, `key=value` overrides,
// printing, and the reference page. A key may be written in one piece (`log.retention.hours: 48`) or as nested maps.
// Thread: any; immutable.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/setting.h"

namespace millrace::config {

class UntypedSchema {
 public:
  explicit UntypedSchema(std::vector<Setting> rows);

  [[nodiscard]] const std::vector<Setting>& rows() const { return rows_; }
  [[nodiscard]] std::vector<std::string> keys() const;

 protected:
  void read(void* settings, const Node& document, Problems& problems) const;
  void set(void* settings, std::string_view assignment, Problems& problems) const;
  [[nodiscard]] std::string print(const void* settings) const;
  [[nodiscard]] std::string reference(const void* defaults) const;

 private:
  using Seen = std::map<std::string_view, int>;  // key -> line
  void read_map(void* settings, const Node& map, const std::string& prefix, Seen& seen, Problems& problems) const;
  [[nodiscard]] const Setting* find(std::string_view key) const;
  [[nodiscard]] bool is_prefix(std::string_view key) const;
  [[nodiscard]] std::string unknown(const std::string& key) const;

  std::vector<Setting> rows_;
};

template <class S>
class Schema : public UntypedSchema {
 public:
  using UntypedSchema::UntypedSchema;
  /// Sets what the document says; goes on after a problem, to name them all.
  void read(S& settings, const Node& document, Problems& problems) const {
    UntypedSchema::read(&settings, document, problems);
  }
  /// "key=value", the value as in a document (flow style for lists and maps).
  void set(S& settings, std::string_view assignment, Problems& problems) const {
    UntypedSchema::set(&settings, assignment, problems);
  }
  /// Every key with its value, as a document that can be read again (apart from secrets).
  [[nodiscard]] std::string print(const S& settings) const { return UntypedSchema::print(&settings); }
  /// The table of a Markdown page.
  [[nodiscard]] std::string reference(const S& defaults = S{}) const { return UntypedSchema::reference(&defaults); }
};

/// "millrace.yaml:12: 'retntion.ms' is not ...", one line per problem. Requires problems. `source` names the document.
Error to_error(const Problems& problems, std::string_view source);

}  // namespace millrace::config
