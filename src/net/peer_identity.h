// PeerIdentity: who the other end of a connection proved to be, by the certificate that it showed and that one of the
// listener's authorities signed (RFC 5280 sections 4.1.2.6 and 4.2.1.6).
#pragma once

#include <string>
#include <vector>

namespace millrace::net {

struct PeerIdentity {
  std::string common_name;             // of the subject; the last one when there are several
  std::string distinguished_name;      // of the subject, as RFC 2253 writes it: "CN=truck-7,O=Fleet"
  std::vector<std::string> dns_names;  // subject alternative names
  std::vector<std::string> uris;
};

}  // namespace millrace::net
