#include "load/bench.h"

#include <fmt/format.h>

#include <cstdio>

#include "load/process_use.h"

namespace millrace::load {
namespace {

constexpr std::string_view kHelp = R"(millrace bench mqtt|kafka [options]

  Loads a server and measures it: throughput, latency percentiles, CPU time and memory of the server, and its own CPU
  share, so that you can see when the generator and not the server was the limit. One thread; --cpu keeps it off the
  server's core.

  millrace bench mqtt --help      publishers, subscribers, QoS 0/1/2, JSON device messages, connect storms; 3.1.1 and 5
  millrace bench kafka --help     produce with acks=all (idempotent or not), fetch; any broker that speaks Kafka

  How to read the figures
    closed loop (no --rate)   every client keeps its window full. The throughput is the result; the latency is only
                              window / throughput and says little about the server.
    open loop (--rate N)      messages are due at fixed times and latency counts from the due time, so a stall of the
                              server is charged to every message that was due meanwhile. The latency is the result.
    SATURATED                 the generator used more than 0.9 of its core: the server may be faster than the figure.
)";

}  // namespace

int bench_main(std::span<const std::string_view> args) {
  if (args.empty() || args[0] == "--help" || args[0] == "-h" || args[0] == "help") {
    std::fputs(std::string(kHelp).c_str(), args.empty() ? stderr : stdout);
    return args.empty() ? 2 : 0;
  }
  prepare_process();
  if (args[0] == "mqtt") return bench_mqtt_main(args.subspan(1));
  if (args[0] == "kafka") return bench_kafka_main(args.subspan(1));
  fmt::print(stderr, "millrace bench: '{}' is not something it can load; say `mqtt` or `kafka` (--help tells more)\n",
             args[0]);
  return 2;
}

}  // namespace millrace::load
