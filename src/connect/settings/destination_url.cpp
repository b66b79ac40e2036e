#include "connect/settings/destination_url.h"

#include "connect/settings/settings.h"

namespace millrace::connect {

std::optional<std::string> url_fault(std::string_view url) {
  const auto scheme_end = url.find("://");
  if (scheme_end == std::string_view::npos) return "the URL has no scheme: http:// or https://";
  const std::string scheme = lower_case(url.substr(0, scheme_end));
  if (scheme != "http" && scheme != "https") return "only http and https are allowed, not " + scheme;
  std::string_view authority = url.substr(scheme_end + 3);
  authority = authority.substr(0, authority.find_first_of("/?#"));
  if (authority.find('@') != std::string_view::npos)
    return "credentials in a URL are shown to everyone: use their own settings";
  std::string host = lower_case(authority);
  if (host.starts_with('[')) {
    host = host.substr(1, host.find(']') - 1);
    const bool link_local = host.size() >= 4 && host.starts_with("fe") &&
                            (host[2] == '8' || host[2] == '9' || host[2] == 'a' || host[2] == 'b');
    if (link_local || host.starts_with("::ffff:169.254.")) return "link-local addresses are not allowed";
    return std::nullopt;
  }
  host = host.substr(0, host.find(':'));
  if (host.empty()) return "the URL has no host";
  if (host.starts_with("169.254.") || host == "metadata.google.internal") return "link-local addresses are not allowed";
  return std::nullopt;
}

std::string complete_url(std::string url) {
  if (url.find("://") == std::string::npos) url.insert(0, "http://");
  while (url.ends_with('/')) url.pop_back();
  return url;
}

}  // namespace millrace::connect
