// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

#include "core/random.h"
#include "core/safetensors.h"
#include "core/temporary_folder.h"

using namespace scintigen;

TEST(Random, GoldenOfAnotherImplementation) {  // tools/make_golden_core.py
  const TensorFile golden = read_tensors(SCINTIGEN_TEST_GOLDEN "/core/random.safetensors");
  const int64_t count = golden.at("draws").numel();
  const auto* draws = golden.at("draws").data_ptr<int64_t>();
  Random random(7, "noise", 3);
  for (int64_t i = 0; i < count; ++i)
    ASSERT_EQ(random.next(), static_cast<uint64_t>(draws[i])) << i;
  EXPECT_TRUE(torch::equal(Random(7, "noise", 3).uniform_tensor({count}), golden.at("uniform")));
  // The last bit of a float32 may differ from the C library's.
  const torch::Tensor normal = Random(7, "noise", 3).normal_tensor({count});
  EXPECT_LE((normal - golden.at("normal")).abs().max().item<float>(), 2.5e-7f);
  EXPECT_GE((normal == golden.at("normal")).sum().item<int64_t>(), count - 2);
  const auto* seeds = golden.at("stream_seeds").data_ptr<int64_t>();
  for (uint64_t seed : {uint64_t{0}, uint64_t{1}, std::numeric_limits<uint64_t>::max()})
    for (const char* stream : {"", "batch", "noise"})
      for (uint64_t index : {0, 1, 1000000000})
        EXPECT_EQ(stream_seed(seed, stream, index), static_cast<uint64_t>(*seeds++));
}

TEST(Random, TensorsAreTheScalarDraws) {
  Random one(5, "x"), other(5, "x");
  const torch::Tensor tensor =
      one.normal_tensor({3, 5});  // an odd number: the last pair is half used
  for (int64_t i = 0; i < 15; i += 2)
    EXPECT_EQ(tensor.flatten()[i].item<float>(), static_cast<float>(other.normal()));
  EXPECT_EQ(one.next(), other.next());
  EXPECT_EQ(Random(1, "x").normal_tensor({0, 4}).numel(), 0);
}

TEST(Random, StreamsAndIndicesDiffer) {
  std::set<uint64_t> seen;
  for (uint64_t seed = 0; seed < 20; ++seed)
    for (const char* stream : {"a", "b", "ab", "ba", ""})
      for (uint64_t index = 0; index < 20; ++index) seen.insert(stream_seed(seed, stream, index));
  EXPECT_EQ(seen.size(), 20u * 5u * 20u);
}

TEST(Random, NormalMomentsAndTails) {
  const int64_t n = 1 << 20;
  const torch::Tensor x = Random(3, "moments").normal_tensor({n}).to(torch::kDouble);
  const double bound = 5 / std::sqrt(static_cast<double>(n));  // five standard errors
  EXPECT_NEAR(x.mean().item<double>(), 0, bound);
  EXPECT_NEAR(x.pow(2).mean().item<double>(), 1, bound * std::sqrt(2.0));
  EXPECT_NEAR(x.pow(3).mean().item<double>(), 0, bound * std::sqrt(15.0));
  EXPECT_NEAR(x.pow(4).mean().item<double>(), 3, bound * std::sqrt(96.0));
  EXPECT_NEAR((x.abs() > 3).to(torch::kDouble).mean().item<double>(), 0.0026998, bound * 0.052);
  EXPECT_NEAR((x.slice(0, 1) * x.slice(0, 0, n - 1)).mean().item<double>(), 0, bound);
  EXPECT_TRUE(torch::isfinite(x).all().item<bool>());
  const torch::Tensor u = Random(4, "moments").uniform_tensor({n}).to(torch::kDouble);
  EXPECT_NEAR(u.mean().item<double>(), 0.5, bound * std::sqrt(1 / 12.0));
  EXPECT_GE(u.min().item<double>(), 0);
  EXPECT_LT(u.max().item<double>(), 1);
}

TEST(Random, IntegersAreUnbiasedAndInRange) {
  Random random(1, "integers");
  std::vector<int> count(6, 0);
  for (int i = 0; i < 60000; ++i) ++count[static_cast<size_t>(random.integer(-2, 3) + 2)];
  double chi_squared = 0;
  for (int c : count) chi_squared += (c - 10000.0) * (c - 10000.0) / 10000;
  EXPECT_LT(chi_squared, 25.7);  // 1e-4 of 5 degrees of freedom
  EXPECT_EQ(random.integer(9, 9), 9);
  const int64_t low = std::numeric_limits<int64_t>::min(),
                high = std::numeric_limits<int64_t>::max();
  std::set<int64_t> wide;
  for (int i = 0; i < 50; ++i) wide.insert(random.integer(low, high));
  EXPECT_EQ(wide.size(), 50u);
  EXPECT_LT(*wide.begin(), 0);
  EXPECT_REFUSED(random.integer(2, 1), "from 2 to 1: the range is empty");
}

TEST(Random, PermutationsHoldEachOnceAndDiffer) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    auto order = Random(seed, "order").permutation(50);
    EXPECT_NE(order, Random(seed + 100, "order").permutation(50));
    std::sort(order.begin(), order.end());
    for (int64_t i = 0; i < 50; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
  }
  EXPECT_TRUE(Random(1, "x").permutation(0).empty());
}
