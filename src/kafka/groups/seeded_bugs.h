// SeededBugs: mistakes that can be switched on, so that the simulator's checks are shown to find them. All off in the
// program.
#pragma once

namespace millrace::kafka {

struct SeededBugs {
  bool acknowledge_commit_early = false;  // a commit is answered before it is stored
  bool hand_out_before_store = false;     // an assignment is given before its generation is stored
  bool ignore_generation = false;         // a member of an older generation may commit
  bool keep_replaced_member = false;      // a static member that was replaced is not fenced
  bool forget_generation = false;         // a loaded group starts over with generation 0
  bool drop_tombstones = false;           // deleted offsets are forgotten in memory only
  bool apply_older_commit = false;        // loading keeps the first commit of a partition instead of the last
  bool show_pending_commit = false;       // a fetch sees a commit that is not stored yet
};

}  // namespace millrace::kafka
