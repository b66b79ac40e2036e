// Transformations of headers: InsertHeader, DropHeaders, HeaderFrom.
#include <algorithm>

#include "connect/transforms/parts.h"

namespace millrace::connect {
namespace {

using Made = Result<std::unique_ptr<Transform>>;

void set_headers(SinkRecord& record, BatchRoom& room, const std::vector<DatumHeader>& headers) {
  auto* copy = room.arena().array<DatumHeader>(headers.size());
  std::uninitialized_copy(headers.begin(), headers.end(), copy);
  record.image.headers = {copy, headers.size()};
}

constexpr ConfigKey kInsertRows[] = {
    {.name = "header",
     .required = true,
     .importance = Importance::high,
     .documentation = "The name of the header.",
     .not_empty = true},
    {.name = "value.literal",
     .required = true,
     .importance = Importance::high,
     .documentation = "The literal value that is to be set as the header value on all records."},
};

class InsertHeader final : public Transform {
 public:
  static Made make(const Settings& settings, Part) {
    auto made = std::make_unique<InsertHeader>();
    made->header_ = settings.text("header");
    made->literal_ = settings.text("value.literal");
    return made;
  }
  Result<bool> apply(SinkRecord& record, BatchRoom& room) override {
    std::vector<DatumHeader> headers(record.image.headers.begin(), record.image.headers.end());
    headers.push_back({header_, Datum::of(literal(literal_, room.arena()))});
    set_headers(record, room, headers);
    return true;
  }

 private:
  std::string header_, literal_;
};

constexpr ConfigKey kDropRows[] = {
    {.name = "headers",
     .type = KeyType::list,
     .required = true,
     .importance = Importance::high,
     .documentation = "The name of the headers to be removed.",
     .not_empty = true},
};

class DropHeaders final : public Transform {
 public:
  static Made make(const Settings& settings, Part) {
    auto made = std::make_unique<DropHeaders>();
    made->headers_ = settings.list("headers");
    return made;
  }
  Result<bool> apply(SinkRecord& record, BatchRoom& room) override {
    std::vector<DatumHeader> headers(record.image.headers.begin(), record.image.headers.end());
    std::erase_if(headers, [this](const DatumHeader& header) { return std::ranges::count(headers_, header.key) != 0; });
    set_headers(record, room, headers);
    return true;
  }

 private:
  std::vector<std::string> headers_;
};

constexpr ConfigKey kFromRows[] = {
    {.name = "fields",
     .type = KeyType::list,
     .required = true,
     .importance = Importance::high,
     .documentation = "Field names in the record whose values are to be copied or moved to headers.",
     .not_empty = true},
    {.name = "headers",
     .type = KeyType::list,
     .required = true,
     .importance = Importance::high,
     .documentation = "Header names, in the same order as the field names.",
     .not_empty = true},
    {.name = "operation",
     .required = true,
     .importance = Importance::high,
     .documentation = "Either move, if the fields are to be removed from the key/value, or copy.",
     .choices = "move, copy"},
    {.name = "replace.null.with.default",
     .type = KeyType::boolean,
     .standard = "true",
     .documentation = "Accepted for compatibility."},
};

class HeaderFrom final : public Transform {
 public:
  static Made make(const Settings& settings, Part part) {
    auto made = std::make_unique<HeaderFrom>();
    made->part_ = part;
    made->fields_ = settings.list("fields");
    made->headers_ = settings.list("headers");
    made->move_ = settings.text("operation") == "move";
    if (made->fields_.size() != made->headers_.size()) {
      return fail(ErrorCode::invalid_argument,
                  "'fields' config must have the same number of elements as 'headers' config.");
    }
    return made;
  }
  Result<bool> apply(SinkRecord& record, BatchRoom& room) override {
    Datum& datum = part_of(record, part_);
    if (datum.is_null()) return true;
    MR_TRY_ASSIGN(const sql::Value before, object_of(datum, "copying or moving fields to headers"));
    std::vector<DatumHeader> headers(record.image.headers.begin(), record.image.headers.end());
    for (std::size_t i = 0; i < fields_.size(); ++i)
      headers.push_back({headers_[i], Datum::of(before.member(fields_[i]))});
    set_headers(record, room, headers);
    if (!move_) return true;
    ObjectBuilder object(room.arena());
    each_member(before, room.arena(), [&](std::string_view name, const sql::Value& value) {
      if (std::ranges::count(fields_, name) == 0) object.add(name, value);
    });
    datum = Datum::of(object.finish());
    return true;
  }

 private:
  Part part_ = Part::value;
  std::vector<std::string> fields_, headers_;
  bool move_ = false;
};

}  // namespace

void add_header_transforms(std::vector<TransformClass>& classes) {
  classes.push_back({"org.apache.kafka.connect.transforms.DropHeaders", kDropRows, DropHeaders::make, Part::record});
  add_both<HeaderFrom>(classes, MR_KEY_AND_VALUE("HeaderFrom"), kFromRows);
  classes.push_back(
      {"org.apache.kafka.connect.transforms.InsertHeader", kInsertRows, InsertHeader::make, Part::record});
}

}  // namespace millrace::connect
