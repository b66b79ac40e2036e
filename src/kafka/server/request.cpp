#include "kafka/server/request.h"

#include <limits>

#include "base/endian.h"

namespace millrace::kafka {

Encoder Request::begin(Response& response) const {
  Encoder out(response.bytes, &response.splices);
  out.be(std::int32_t{0});  // the size, known at the end
  write_response_header(out, *codec_, version(), header_.correlation_id);
  return out;
}

void Request::finish(Response response, bool ok) {
  const std::size_t size = response.size() - 4;
  if (!ok || size > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
    return close(CloseReason::encode_failed, codec_->name);
  }
  store_be(response.bytes.data(), static_cast<std::int32_t>(size));
  connection_->answer(slot_, std::move(response));
}

}  // namespace millrace::kafka
