// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "core/random.h"
#include "core/safetensors.h"
#include "core/temporary_folder.h"
#include "metrics/copy_audit.h"

namespace scintigen {
namespace {

/// Smooth random slices in [0,1] with an empty border of two pixels, as strangers to one another.
torch::Tensor strangers(uint64_t seed, int64_t count, int64_t side = 20) {
  auto noise = Random(seed, "strangers").uniform_tensor({count, 1, side, side});
  auto smooth = at::avg_pool2d(noise, 5, 1, 2).squeeze(1);
  smooth = (smooth - smooth.amin({1, 2}, true)) /
           (smooth.amax({1, 2}, true) - smooth.amin({1, 2}, true));
  auto mask = torch::zeros({side, side});
  mask.narrow(0, 2, side - 4).narrow(1, 2, side - 4).fill_(1);
  return smooth * mask;
}

TEST(CopyAudit, FindsAPlantedCopyAmong500) {
  const auto training = strangers(1, 60), held_out = strangers(2, 120);
  auto synthetic = strangers(3, 500);
  synthetic[123] = training[17] + 0.01 * Random(4, "noise").normal_tensor({20, 20});
  synthetic[321] = at::roll(training[42].flip({1}), {1, -2}, {0, 1});  // flipped and shifted
  const auto audit = audit_copies(synthetic, training, held_out);
  ASSERT_GE(audit.suspects.size(), 2U);
  EXPECT_LE(audit.suspects.size(), 2U + 20);  // 1 % of strangers are expected below the percentile
  EXPECT_EQ(audit.suspects[0].synthetic, 321);
  EXPECT_EQ(audit.suspects[0].training, 42);
  EXPECT_NEAR(audit.suspects[0].distance, 0, 1e-3);
  EXPECT_EQ(audit.suspects[1].synthetic, 123);
  EXPECT_EQ(audit.suspects[1].training, 17);
  EXPECT_FALSE(audit.threshold_is_minimum);
  EXPECT_NEAR(audit.membership_auc, 0.5, 0.15);
}

TEST(CopyAudit, MembershipShowsWhereTheGeneratorMemorised) {
  const auto training = strangers(1, 60), held_out = strangers(2, 60);
  const auto memorised = training + 0.02 * Random(4, "noise").normal_tensor(training.sizes());
  const auto audit = audit_copies(memorised, training, held_out);
  EXPECT_GT(audit.membership_auc, 0.99);
  EXPECT_EQ(audit.suspects.size(), 60U);
  EXPECT_TRUE(audit.threshold_is_minimum);
}

TEST(CopyAudit, AreaUnderTheCurveAgreesWithSciPy) {
  const auto file =
      read_tensors(SCINTIGEN_TEST_GOLDEN "/metrics/distribution_distances.safetensors");
  EXPECT_NEAR(area_under_curve(file.at("scores"), file.at("others")),
              file.at("auc")[0].item<double>(), 1e-12);
  EXPECT_EQ(area_under_curve(torch::tensor({2.0, 3.0}), torch::tensor({0.0, 1.0})), 1);
  EXPECT_EQ(area_under_curve(torch::tensor({1.0, 1.0}), torch::tensor({1.0})), 0.5);
  EXPECT_REFUSED(area_under_curve(torch::empty({0}), torch::tensor({1.0})), "neither empty");
}

TEST(CopyAudit, NeedsHeldOutSlices) {
  const auto slices = strangers(1, 5);
  EXPECT_REFUSED(audit_copies(slices, slices, torch::empty({0, 20, 20})), "no held-out slices");
}

}  // namespace
}  // namespace scintigen
