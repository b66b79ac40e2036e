// Reads partitions back and holds every byte against what was promised: the simulated consumers, and the whole-log scan
// after a recovery. Thread: whoever has the turn.
#pragma once

#include "sim/log_world.h"

namespace millrace::sim {

/// One read at a random place of a random partition. A wrong answer is a violation.
void read_somewhere(LogWorld& world, Rng& rng);

/// The whole log as its readers see it; a partition that cannot be read is a violation.
SeenLog scan_log(LogWorld& world);

/// Reads everything of a log with a damaged byte. Damage answered as such is fine, a wrong record or a gap is a
/// violation. True when some read told of damage.
bool scan_damaged(LogWorld& world);

/// Asks for timestamps and compares with a search through `seen`.
void check_timestamps(LogWorld& world, const SeenLog& seen, Rng& rng);

}  // namespace millrace::sim
