// What a client may do, as the bit field of KIP-430: bit n is AclOperation n. Everything that fits the resource, as
// there is no access control.
#pragma once

#include <cstdint>

namespace millrace::kafka {

inline constexpr std::int32_t kRead = 1 << 3, kWrite = 1 << 4, kCreate = 1 << 5, kDelete = 1 << 6, kAlter = 1 << 7,
                              kDescribe = 1 << 8, kClusterAction = 1 << 9, kDescribeConfigs = 1 << 10,
                              kAlterConfigs = 1 << 11, kIdempotentWrite = 1 << 12;
inline constexpr std::int32_t kTopicOperations =
    kRead | kWrite | kCreate | kDelete | kAlter | kDescribe | kDescribeConfigs | kAlterConfigs;
inline constexpr std::int32_t kGroupOperations = kRead | kDelete | kDescribe;
inline constexpr std::int32_t kClusterOperations =
    kCreate | kAlter | kDescribe | kClusterAction | kDescribeConfigs | kAlterConfigs | kIdempotentWrite;

}  // namespace millrace::kafka
