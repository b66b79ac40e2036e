// `millrace replay`: plays recorded data as a fleet of MQTT devices, and checks what arrived.
#pragma once

#include <span>
#include <string_view>

namespace millrace::load {

/// `args` without "millrace replay". Returns the exit status: 0 everything was acknowledged (and verified); 1 something
/// was not; 2 wrong arguments, unreadable data or no server. Thread: main.
int replay_main(std::span<const std::string_view> args);

}  // namespace millrace::load
