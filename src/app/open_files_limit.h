// How many files this process may open. Thread: start-up, alone.
#pragma once

#include <cstddef>

namespace millrace::app {

/// Raises the soft limit to the hard one, as a server that uses no select() may; returns what holds then.
std::size_t raise_open_files_limit();

/// `configured`, or when that is 0 half of the limit: the other half is for sockets.
std::size_t segment_open_files(std::size_t configured, std::size_t limit);

}  // namespace millrace::app
