// What a request may name once only. Thread: any.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

namespace millrace::kafka {

/// Keeps the first of the items with one name and answers which names came again: Apache Kafka refuses such a topic,
/// and answers for it once. A client that finds two answers for one topic takes the whole response for damaged.
template <class Item, class NameOf>
[[nodiscard]] std::set<std::string, std::less<>> take_out_repeats(std::vector<Item>& items, NameOf name_of) {
  std::set<std::string, std::less<>> seen;
  std::set<std::string, std::less<>> repeated;
  std::erase_if(items, [&](const Item& item) {
    std::string name(name_of(item));
    const bool again = seen.contains(name);
    (again ? repeated : seen).insert(std::move(name));
    return again;
  });
  return repeated;
}

}  // namespace millrace::kafka
