// each_member: walks the members of a JSON object of either form, by their decoded names. Pure.
#pragma once

#include <string_view>

#include "sql/value.h"

namespace millrace::connect {

/// Calls visit(name, value); names with escapes are decoded into `arena`. Requires an object.
template <class Visit>
void each_member(const sql::Value& object, sql::Arena& arena, Visit visit) {
  if (object.form() == sql::Value::Form::built) {
    for (std::size_t i = 0; i < object.count(); ++i) visit(object.members()[i].name, object.members()[i].value);
    return;
  }
  const sql::JsonDocument& document = object.document();
  for (std::uint32_t at = object.node() + 1; at < document.node(object.node()).end; at = document.node(at).end) {
    std::string_view name = document.key_of(document.node(at));
    if (name.find('\\') != std::string_view::npos) name = sql::Value::string_source(name).characters(arena);
    visit(name, sql::Value::of(document, at));
  }
}

}  // namespace millrace::connect
