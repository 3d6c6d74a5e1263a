// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/random.h"
#include "core/safetensors.h"
#include "core/temporary_folder.h"
#include "metrics/distribution_distances.h"

namespace scintigen {
namespace {

torch::Tensor normal(uint64_t seed, int64_t count, int64_t features, double mean = 0) {
  return Random(seed, "features").normal_tensor({count, features}).to(torch::kDouble) + mean;
}

TEST(DistributionDistances, AgreeWithNumPySciPyAndScikitLearn) {
  const auto file =
      read_tensors(SCINTIGEN_TEST_GOLDEN "/metrics/distribution_distances.safetensors");
  const auto golden = [&](const char* name, int64_t i = 0) {
    return file.at(name)[i].item<double>();
  };
  const auto &a = file.at("a"), &b = file.at("b");
  EXPECT_NEAR(kernel_distance(a, b), golden("kernel"), 1e-10);
  const auto manifold = manifold_measures(a, b, 5);
  EXPECT_NEAR(manifold.precision, golden("manifold", 0), 1e-12);
  EXPECT_NEAR(manifold.recall, golden("manifold", 1), 1e-12);
  EXPECT_NEAR(manifold.density, golden("manifold", 2), 1e-12);
  EXPECT_NEAR(manifold.coverage, golden("manifold", 3), 1e-12);
  const auto neighbour = nearest_neighbour_test(a, b);
  EXPECT_NEAR(neighbour.accuracy, golden("neighbour", 0), 1e-12);
  EXPECT_NEAR(neighbour.real, golden("neighbour", 1), 1e-12);
  EXPECT_NEAR(neighbour.synthetic, golden("neighbour", 2), 1e-12);
  EXPECT_NEAR(frechet_distance(a, b), golden("frechet"), 1e-8);  // SciPy's square root: 1e-9
  // In one dimension every direction is +-1.
  EXPECT_NEAR(sliced_wasserstein(file.at("line_a"), file.at("line_b")), golden("wasserstein"),
              1e-12);
}

TEST(DistributionDistances, EqualSetsAreNotApart) {
  double kernel = 0, neighbour = 0;
  constexpr int kSeeds = 20;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    const auto a = normal(2 * seed, 80, 5), b = normal(2 * seed + 1, 80, 5);
    kernel += kernel_distance(a, b) / kSeeds;
    neighbour += nearest_neighbour_test(a, b).accuracy / kSeeds;
  }
  EXPECT_NEAR(kernel, 0, 0.02);  // unbiased: its mean over seeds is 0; SD of one about 0.03
  EXPECT_NEAR(neighbour, 0.5, 0.05);
  const auto a = normal(1, 50, 4);
  EXPECT_EQ(sliced_wasserstein(a, a), 0);
  EXPECT_NEAR(frechet_distance(a, a), 0, 1e-9);
  const auto same = manifold_measures(a, a);
  EXPECT_EQ(same.precision, 1);
  EXPECT_EQ(same.recall, 1);
  EXPECT_EQ(same.coverage, 1);
  // Against its own copy every point's nearest neighbour is its twin, which counts for the other
  // set.
  EXPECT_EQ(nearest_neighbour_test(a, a).accuracy, 0);
}

TEST(DistributionDistances, GrowWithADistanceThatIsKnown) {
  const auto a = normal(1, 400, 1), b = a + 2;
  EXPECT_NEAR(sliced_wasserstein(a, b), 2, 1e-9);
  EXPECT_NEAR(frechet_distance(a, b), 4, 1e-9);
  const auto x = normal(1, 200, 6), y = normal(2, 200, 6, 4);
  EXPECT_GT(kernel_distance(x, y), 1);
  EXPECT_EQ(nearest_neighbour_test(x, y).accuracy, 1);
  EXPECT_EQ(manifold_measures(x, y).coverage, 0);
  // A generator that makes one image over and over: precise, but it covers nothing.
  const auto one = x[0].expand({200, 6}) + 1e-3 * normal(3, 200, 6);
  const auto collapsed = manifold_measures(x, one);
  EXPECT_GT(collapsed.precision, 0.99);
  EXPECT_LT(collapsed.coverage, 0.15);
  EXPECT_LT(collapsed.recall, 0.05);
}

TEST(DistributionDistances, SubsetsRepeatAndAgreeWithTheWhole) {
  const auto a = normal(1, 300, 4), b = normal(2, 250, 4, 0.5);
  const auto first = kernel_distance_of_subsets(a, b, 50, 100),
             again = kernel_distance_of_subsets(a, b, 50, 100);
  EXPECT_EQ(first.mean, again.mean);
  EXPECT_EQ(first.size, 100);
  EXPECT_NEAR(first.mean, kernel_distance(a, b), 4 * first.deviation / std::sqrt(50.0));
  EXPECT_EQ(kernel_distance_of_subsets(a, b).size, 250);
}

TEST(DistributionDistances, RefuseWhatTheyCannotMeasure) {
  const auto a = normal(1, 10, 4);
  EXPECT_REFUSED(frechet_distance(a, normal(2, 4, 4)),
                 "10 and 4 images for 4 features; expected more");
  EXPECT_REFUSED(kernel_distance(a, normal(2, 10, 3)), "4 features on one side and 3 on the other");
  EXPECT_REFUSED(kernel_distance(a, normal(2, 1, 4)), "1 images; expected at least 2");
  EXPECT_REFUSED(manifold_measures(a, a, 10), "expected at least 11");
  EXPECT_REFUSED(manifold_measures(a, a, 0), "k must be at least 1");
  EXPECT_REFUSED(sliced_wasserstein(a, a.to(torch::kLong)), "of floating point");
  EXPECT_REFUSED(sliced_wasserstein(a, a, 0), "0 directions");
  EXPECT_REFUSED(kernel_distance_of_subsets(a, a, 1), "expected at least 2 of 2");
  auto broken = a.clone();
  broken[3][2] = std::nan("");
  EXPECT_REFUSED(nearest_neighbour_test(broken, a), "not finite");
}

}  // namespace
}  // namespace scintigen
