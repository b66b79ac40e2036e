// `millrace bench`: the load generator. Runs in a process of its own, so that what it measures is the server.
#pragma once

#include <span>
#include <string_view>

namespace millrace::load {

/// `args` without "millrace bench". Prints to standard output; returns the exit status: 0 done, 1 something was lost or
/// refused, 2 wrong arguments or no connection. Thread: main.
int bench_main(std::span<const std::string_view> args);

/// `args` without "millrace bench mqtt" and "millrace bench kafka".
int bench_mqtt_main(std::span<const std::string_view> args);
int bench_kafka_main(std::span<const std::string_view> args);

}  // namespace millrace::load
