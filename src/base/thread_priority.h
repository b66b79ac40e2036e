// How much processor time a thread claims where others want it too. A thread starts with the priority of the one that
// made it.
#pragma once

namespace millrace {

/// The calling thread gives way by `nice` steps (setpriority(2); Linux keeps the value per thread): beside busy threads
/// of the program 10 leave it a tenth of a core, 15 a thirtieth, 19 a seventieth, and all of a core that nobody wants.
/// The value ends at 19. Thread: any.
void lower_this_thread(int nice);

}  // namespace millrace
