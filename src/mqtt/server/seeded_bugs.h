// SeededBug: deliberate mistakes that the tests of sessions, wills, retained messages and protection must find. None
// outside tests; each is one `if` at the place where the mistake would be made.
#pragma once

#include <cstdint>

namespace millrace::mqtt {

enum class SeededBug : std::uint8_t {
  none,
  send_before_recording,     // a QoS 2 PUBLISH leaves before its packet identifier is durable
  release_before_recording,  // a PUBREL leaves before the PUBREC it answers is durable
  move_without_catching_up,  // a session that moves to another loop misses what that loop has passed already
  keep_what_a_member_left,   // what a member of a shared subscription had not acknowledged goes to nobody
  forget_completed_at_once,  // a QoS 2 message of a shared subscription is not named until the group's record knows
  record_without_handed,     // the group's record forgets what is handed out and not settled
  do_not_record_wills,       // those of sessions that end with their connection
  publish_will_and_keep_its_record,   // so it comes again after a crash
  keep_the_record_of_a_dropped_will,  // so it comes after a crash although the client said goodbye
  retain_without_recording,           // a retained message is acknowledged and in memory only
  connack_before_recording,           // CONNACK leaves before the will is durable
  suback_before_recording,            // SUBACK leaves before the subscription is durable
  unsuback_before_recording,          // UNSUBACK leaves before the end of the subscription is durable
  keep_held_bytes,                    // what a connection that has gone held stays in the budget
  leave_paused,                       // publishers that the budget has paused are not read again
  keep_quota_of_qos_2,                // a QoS 2 message that is completed goes on counting against Receive Maximum
  leave_pings_of_paused,              // PINGREQ of a paused client waits like everything else
};

}  // namespace millrace::mqtt
