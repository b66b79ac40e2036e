// SessionModel under seeds. Seeded mistakes show that its checks can fail.
#include <gtest/gtest.h>

#include "base/rng.h"
#include "mqtt/testing/session_model.h"

namespace millrace::mqtt {
namespace {

using testing::SessionModel;

TEST(SessionModel, HoldsUnderSeeds) {
  for (std::uint64_t seed = 1; seed <= 1'500; ++seed) {
    const std::string fault = SessionModel<Rng>(Rng(seed), SeededBug::none).run(60);
    ASSERT_EQ(fault, "") << "seed " << seed;
  }
}

TEST(SessionModel, FindsSeededMistakes) {
  for (const SeededBug bug :
       {SeededBug::send_before_recording, SeededBug::release_before_recording, SeededBug::move_without_catching_up,
        SeededBug::suback_before_recording, SeededBug::unsuback_before_recording}) {
    std::string fault;
    std::uint64_t seed = 0;
    while (fault.empty() && ++seed <= 3'000) fault = SessionModel<Rng>(Rng(seed), bug).run(60);
    EXPECT_NE(fault, "") << static_cast<int>(bug);
  }
}

}  // namespace
}  // namespace millrace::mqtt
