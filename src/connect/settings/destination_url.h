// Destination URLs: which addresses a connector may be pointed at. Whoever may create connectors could otherwise make
// this process ask the machine's own metadata service (169.254.169.254) or read its files. Pure. net::http::Client
// refuses link-local addresses again when a name resolves to one.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace millrace::connect {

/// What is wrong with it, for people; nullopt: http or https, a host, not link-local, no credentials in it.
std::optional<std::string> url_fault(std::string_view url);

/// With "http://" in front when it names no scheme, and without '/' at its end.
std::string complete_url(std::string url);

}  // namespace millrace::connect
