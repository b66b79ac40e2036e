// SeededBugs: deliberate mistakes that the simulator must catch (research invariant I16). All off outside tests; each
// is one `if` at the place where the mistake would be made.
#pragma once

namespace millrace::storage {

struct SeededBugs {
  bool skip_sync = false;                // commit() does not sync the journal
  bool acknowledge_early = false;        // commit() publishes and returns before it writes
  bool skip_directory_sync = false;      // new names are not made durable
  bool accept_bad_crc = false;           // recovery takes a batch whose checksum fails
  bool ignore_generation = false;        // recovery takes groups that an older life of a recycled file left behind
  bool truncate_one_too_far = false;     // recovery drops the last good group
  bool publish_before_sync = false;      // the high watermark moves before the sync
  bool checkpoint_before_sync = false;   // the checkpoint is written before the segments it names are synced
  bool forget_producer_state = false;    // recovery starts with empty producer state
  bool reuse_journal_early = false;      // a journal file is recycled before the checkpoint that frees it is durable
  bool compaction_drops_newest = false;  // a key's newest record is taken for superseded
  bool compaction_overlooks_tombstones = false;  // a tombstone goes, what it deleted stays
  bool compaction_swaps_early = false;  // the files that were compacted go before the checkpoint knows the new ones
  bool compaction_reuses_name = false;  // files are written under a name that the checkpoint means otherwise
  bool compaction_skips_sync = false;   // compacted files are named by the checkpoint, but not synced
  bool trust_old_clean_mark = false;    // a start believes in a clean stop although the journal went on since
  bool forget_failed_write = false;     // of pieces written together, one that failed counts as written
  bool checkpoint_overlooks_change = false;  // a partition that changed is named as the checkpoint before had it
};

}  // namespace millrace::storage
