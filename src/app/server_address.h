// Where the verbs that ask a running server in Kafka's protocol find it, and how they log in.
#pragma once

#include <string>

#include "app/options.h"
#include "kafka/client/client.h"

namespace millrace::app {

/// Rows for the options of such a verb.
inline constexpr OptionRow kKafkaOption = {"--kafka", "HOST:PORT", "where the server listens (127.0.0.1:9092)"};
inline constexpr OptionRow kKafkaUserOption = {"--user", "NAME:PASSWORD",
                                               "for a listener with a log-in (default: the variable MILLRACE_USER)"};
inline constexpr OptionRow kKafkaTlsOption = {"--tls", "", "a listener over TLS, whose authority the system knows"};
inline constexpr OptionRow kKafkaAuthorityOption = {"--ca", "FILE", "a listener over TLS, whose authority is in FILE"};

/// A connection to the server that --kafka names, or 127.0.0.1:9092, logged in as --user or the variable MILLRACE_USER
/// says. Errors: invalid_argument (the address, the user), not_found (the file), those of Client::open.
Result<kafka::Client> open_client(const Options& options);

/// What to try after `error`, or nothing: a listener that asks for more closes the connection without a word.
std::string hint_for(const Error& error, const Options& options);

}  // namespace millrace::app
