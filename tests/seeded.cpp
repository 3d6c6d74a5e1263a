// SPDX-License-Identifier: Apache-2.0
// Linked into every test executable: before each test LibTorch's generator gets the same seed. The
// library starts it from the machine's entropy, so that a test whose networks are drawn would ask
// something else in every run. --gtest_shuffle --gtest_random_seed=N: other draws.
#include <ATen/Context.h>
#include <gtest/gtest.h>

namespace scintigen {
namespace {

class Seeded : public testing::EmptyTestEventListener {
  void OnTestStart(const testing::TestInfo&) override {
    at::manual_seed(20240601 +
                    static_cast<uint64_t>(testing::UnitTest::GetInstance()->random_seed()));
  }
};

// GoogleTest owns the listener.
const bool listening = [] {
  testing::UnitTest::GetInstance()->listeners().Append(new Seeded);
  return true;
}();

}  // namespace
}  // namespace scintigen
