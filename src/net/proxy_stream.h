// ProxyStream: a Stream that begins with a PROXY header, which tells where the connection really comes from. Private
// to net. Once the header is read, reading goes straight to the handler. A peer that is not one of the trusted proxies
// is closed: a header could then be anybody's claim. Thread: the loop's.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "net/loop.h"
#include "net/proxy_header.h"
#include "net/stream.h"

namespace millrace::net {

/// `proxies` outlives the stream.
[[nodiscard]] std::unique_ptr<Stream> behind_proxy(Loop& loop, std::unique_ptr<Stream> below,
                                                   const std::vector<Network>& proxies);

}  // namespace millrace::net
