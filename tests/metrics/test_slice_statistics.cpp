// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/error.h"
#include "core/random.h"
#include "core/safetensors.h"
#include "metrics/slice_statistics.h"

namespace scintigen {
namespace {

using at::indexing::Slice;

TensorFile golden() {
  return read_tensors(SCINTIGEN_TEST_GOLDEN "/metrics/slice_statistics.safetensors");
}

torch::Tensor random_slices(uint64_t seed, int64_t count, int64_t height = 16, int64_t width = 16) {
  return Random(seed, "slices").uniform_tensor({count, height, width});
}

void expect_near(const torch::Tensor& found, const torch::Tensor& expected, double tolerance) {
  ASSERT_EQ(found.sizes(), expected.sizes());
  ASSERT_EQ(found.scalar_type(), expected.scalar_type());
  const auto difference = (found - expected).abs().max().item<double>();
  EXPECT_LE(difference, tolerance);
}

template <class Call>
std::string refusal(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was refused";
}

// Against NumPy and SciPy

TEST(SliceStatistics, CountsRatiosAndDeviationsAgreeWithNumPy) {
  const auto file = golden();
  const auto& slices = file.at("slices");
  expect_near(mean_counts(slices), file.at("mean_counts"), 1e-12);
  expect_near(left_right_ratio(slices), file.at("left_right_ratio"), 1e-12);
  expect_near(left_right_ratio(slices, 0.6), file.at("left_right_ratio_60"), 1e-12);
  expect_near(pixelwise_deviation(slices), file.at("pixelwise_deviation"), 1e-12);
}

TEST(SliceStatistics, PrincipalComponentsAgreeWithNumPysSingularValues) {
  const auto file = golden();
  const auto components = principal_components(file.at("reference"), 5);
  expect_near(components.mean, file.at("mean"), 1e-12);
  expect_near(components.directions, file.at("directions"), 1e-9);
  expect_near(components.explained, file.at("explained"), 1e-12);
  expect_near(components.project(file.at("slices")), file.at("projected"), 1e-9);
}

TEST(SliceStatistics, EnergyDistanceAgreesWithSciPy) {
  const auto file = golden();
  const auto components = principal_components(file.at("reference"), 5);
  const auto x = components.project(file.at("slices"));
  const auto y = components.project(file.at("reference"));
  EXPECT_NEAR(energy_distance(x, y), file.at("energy_distance").item<double>(), 1e-9);
  EXPECT_NEAR(energy_distance(x, y, true), file.at("energy_distance_unbiased").item<double>(),
              1e-9);
  EXPECT_NEAR(energy_distance(x.narrow(1, 0, 1), y.narrow(1, 0, 1)),
              file.at("energy_distance_first").item<double>(), 1e-9);
}

TEST(SliceStatistics, NearestSlicesAgreeWithASearchBySciPysShift) {
  const auto file = golden();
  const auto found = nearest_slices(file.at("slices"), file.at("reference"));
  expect_near(found.distance, file.at("nearest_distance"), 1e-7);
  EXPECT_TRUE(found.index.equal(file.at("nearest_index")));
  const auto plain = nearest_slices(file.at("slices"), file.at("reference"), 1, false);
  expect_near(plain.distance, file.at("nearest_plain_distance"), 1e-7);
  EXPECT_TRUE(plain.index.equal(file.at("nearest_plain_index")));
}

// Known answers

TEST(SliceStatistics, MeanCountsOfABoxIsItsArea) {
  auto slices = at::zeros({2, 8, 8});
  slices[0].index_put_({Slice(2, 6), Slice(0, 8)}, 0.3);  // half of the matrix
  slices[1].index_put_({3, 3}, 17.0);
  const auto found = mean_counts(slices);
  EXPECT_DOUBLE_EQ(found[0].item<double>(), 0.5);
  EXPECT_DOUBLE_EQ(found[1].item<double>(), 1.0 / 64);
}

TEST(SliceStatistics, TheRightHalfOfThePictureIsThePatientsLeft) {
  auto slices = at::zeros({1, 8, 9});
  slices.index_put_({0, Slice(1, 7), Slice(1, 4)}, 1.0);   // patient's right
  slices.index_put_({0, Slice(1, 7), 4}, 0.9);             // middle column: on neither side
  slices.index_put_({0, Slice(1, 7), Slice(5, 8)}, 0.75);  // patient's left
  EXPECT_NEAR(left_right_ratio(slices).item<double>(), 0.75, 1e-7);
  EXPECT_NEAR(left_right_ratio(slices.flip(2)).item<double>(), 1 / 0.75, 1e-7);
  // Under the threshold the left half has no pixel left.
  EXPECT_TRUE(left_right_ratio(slices, 0.8).isnan().item<bool>());
}

TEST(SliceStatistics, AnEmptySliceHasNeitherCountsNorRatio) {
  auto slices = at::ones({2, 4, 4});
  slices[1].zero_();
  EXPECT_EQ(mean_counts(slices)[0].item<double>(), 1);
  EXPECT_TRUE(mean_counts(slices)[1].isnan().item<bool>());
  EXPECT_EQ(left_right_ratio(slices)[0].item<double>(), 1);
  EXPECT_TRUE(left_right_ratio(slices)[1].isnan().item<bool>());
}

TEST(SliceStatistics, DeviationDividesByOneLess) {
  auto slices = at::zeros({2, 4, 4});
  slices[1].fill_(1.0);
  EXPECT_NEAR(pixelwise_deviation(slices)[2][1].item<double>(), std::sqrt(0.5), 1e-12);
}

TEST(SliceStatistics, OneDirectionOfVariationIsFound) {
  const auto base = random_slices(1, 1);
  const auto pattern = random_slices(2, 1);
  const auto strength = Random(3, "strength").normal_tensor({7, 1, 1});
  const auto components =
      principal_components(base.to(torch::kDouble) + strength * pattern.to(torch::kDouble));
  ASSERT_EQ(components.directions.size(1), 1);  // 40 were asked for; there is one
  EXPECT_NEAR(components.explained[0].item<double>(), 1, 1e-9);
  const auto expected = pattern.flatten().to(torch::kDouble);
  EXPECT_NEAR(components.directions.select(1, 0).dot(expected / expected.norm()).item<double>(), 1,
              1e-9);
}

TEST(SliceStatistics, EnergyDistanceOfTwoPointMassesIsTwiceTheirDistance) {
  const auto a = at::zeros({5, 3}), b = at::zeros({4, 3}) + at::tensor({1.0, 2.0, 2.0});
  EXPECT_NEAR(energy_distance(a, b), 6, 1e-12);
  EXPECT_NEAR(energy_distance(a, b, true), 6, 1e-12);
}

TEST(SliceStatistics, ACopyIsFoundUnderEveryFlipAndShift) {
  // A frame of zeros as wide as the shift: nothing leaves the matrix, so the distance is 0.
  auto reference = at::zeros({6, 16, 12});
  reference.index_put_({Slice(), Slice(2, 14), Slice(2, 10)}, random_slices(4, 6, 12, 8));
  for (const bool flipped : {false, true})
    for (int64_t rows = -2; rows <= 2; ++rows)
      for (int64_t columns = -2; columns <= 2; ++columns) {
        auto copy = at::roll(reference.slice(0, 3, 4), {rows, columns}, {1, 2});
        if (flipped) copy = copy.flip(2);
        const auto found = nearest_slices(copy, reference);
        EXPECT_EQ(found.distance.item<double>(), 0) << rows << " " << columns << " " << flipped;
        EXPECT_EQ(found.index.item<int64_t>(), 3);
      }
}

TEST(SliceStatistics, WhatLeavesTheMatrixDoesNotComeBack) {
  auto reference = at::zeros({1, 8, 8});
  reference.index_put_({0, 0, 4}, 1.0);
  auto query = at::zeros({1, 8, 8});
  query.index_put_({0, 7, 4}, 1.0);  // a wrap-around by one row would be a copy
  EXPECT_NEAR(nearest_slices(query, reference, 1).distance.item<double>(), std::sqrt(1.0 / 64),
              1e-12);  // best: the dot is moved out and an empty slice remains
}

// Properties

TEST(SliceStatistics, FlipsInvertTheRatioAndScaleChangesNothing) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const auto slices = random_slices(seed, 3, 12, 10 + static_cast<int64_t>(seed % 2));
    expect_near(left_right_ratio(slices.flip(2)) * left_right_ratio(slices),
                at::ones({3}, torch::kDouble), 1e-12);
    expect_near(left_right_ratio(slices * 8), left_right_ratio(slices), 1e-12);
    expect_near(mean_counts(slices * 8), mean_counts(slices), 1e-12);
    expect_near(mean_counts(slices.flip(2)), mean_counts(slices), 1e-12);
  }
}

TEST(SliceStatistics, ComponentsAreOrthonormalAndRepeatTheSlices) {
  for (const int64_t count : {5, 40}) {  // fewer and more slices than pixels
    const auto slices = random_slices(5, count, 5, 6);
    const auto components = principal_components(slices, 1000);
    const int64_t kept = components.directions.size(1);
    EXPECT_EQ(kept, std::min<int64_t>(count - 1, 30));
    expect_near(components.directions.t().matmul(components.directions),
                at::eye(kept, torch::kDouble), 1e-10);
    EXPECT_NEAR(components.explained.sum().item<double>(), 1, 1e-10);
    const auto back =
        components.project(slices).matmul(components.directions.t()) + components.mean;
    expect_near(back.view({count, 5, 6}), slices.to(torch::kDouble), 1e-10);
    const auto largest =
        components.directions.gather(0, components.directions.abs().argmax(0, /*keepdim=*/true));
    EXPECT_TRUE((largest > 0).all().item<bool>());
  }
}

TEST(SliceStatistics, EnergyDistanceIsZeroForEqualSetsSymmetricAndInvariantToMotion) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    const auto a = Random(seed, "a").normal_tensor({20, 4});
    const auto b = Random(seed, "b").normal_tensor({30, 4}) + 0.2;
    EXPECT_EQ(energy_distance(a, a), 0);
    EXPECT_GT(energy_distance(a, b), 0);
    EXPECT_NEAR(energy_distance(a, b), energy_distance(b, a), 1e-12);
    EXPECT_NEAR(energy_distance(a * 3 + 5, b * 3 + 5), 3 * energy_distance(a, b), 1e-5);
    EXPECT_LT(energy_distance(a, b, true), energy_distance(a, b));
  }
}

TEST(SliceStatistics, UnbiasedEnergyDistanceOfEqualDistributionsAveragesToZero) {
  double sum = 0, biased = 0;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const auto a = Random(seed, "a").normal_tensor({15, 3});
    const auto b = Random(seed, "b").normal_tensor({15, 3});
    sum += energy_distance(a, b, true) / 200;
    biased += energy_distance(a, b) / 200;
  }
  EXPECT_LT(std::abs(sum), 0.03);
  EXPECT_GT(biased, 0.2);
}

TEST(SliceStatistics, EnergyDistanceInBlocksEqualsOneBlock) {
  const auto a = Random(1, "a").normal_tensor({1100, 2}).to(torch::kDouble);
  const auto b = Random(1, "b").normal_tensor({70, 2}).to(torch::kDouble);
  const auto plain = [](const torch::Tensor& x, const torch::Tensor& y) {
    return (x.unsqueeze(1) - y.unsqueeze(0)).norm(2, 2).mean().item<double>();
  };
  EXPECT_NEAR(energy_distance(a, b), 2 * plain(a, b) - plain(a, a) - plain(b, b), 1e-12);
}

TEST(SliceStatistics, MoreShiftsAndFlipsNeverMakeTheNearestSliceFarther) {
  const auto slices = random_slices(6, 40), reference = random_slices(7, 10);
  const auto none = nearest_slices(slices, reference, 0, false).distance;
  const auto flipped = nearest_slices(slices, reference, 0, true).distance;
  const auto all = nearest_slices(slices, reference, 2, true).distance;
  EXPECT_TRUE((flipped <= none).all().item<bool>());
  EXPECT_TRUE((all <= flipped).all().item<bool>());
  EXPECT_TRUE((all > 0).all().item<bool>());
}

// Refusals

TEST(SliceStatistics, RefusesWhatIsNotSlices) {
  EXPECT_EQ(refusal([] {
              mean_counts(at::zeros({4, 4}));
            }),
            "mean counts: expected slices [N,H,W] of floating point; found [4,4] of float");
  EXPECT_EQ(refusal([] {
              mean_counts(at::zeros({1, 4, 4}, torch::kInt));
            }),
            "mean counts: expected slices [N,H,W] of floating point; found [1,4,4] of int");
  EXPECT_EQ(refusal([] { pixelwise_deviation(torch::Tensor()); }),
            "pixel-wise deviation: expected slices [N,H,W] of floating point; found nothing");
  EXPECT_EQ(refusal([] {
              pixelwise_deviation(at::zeros({1, 4, 4}));
            }),
            "pixel-wise deviation: needs at least 2 slices with pixels; found [1,4,4]");
  EXPECT_EQ(refusal([] {
              mean_counts(at::zeros({0, 4, 4}));
            }),
            "mean counts: needs at least 1 slice with pixels; found [0,4,4]");
}

TEST(SliceStatistics, RefusesValuesThatMeanNothing) {
  auto slices = at::ones({3, 4, 4});
  slices[2][1][1] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(refusal([&] { mean_counts(slices); }),
            "mean counts: slice 2 holds a value that is not finite");
  EXPECT_EQ(refusal([&] { principal_components(slices); }),
            "principal components: slice 2 holds a value that is not finite");
  EXPECT_EQ(refusal([&] {
              nearest_slices(at::ones({1, 4, 4}), slices, 1);
            }),
            "nearest slices: slice 2 holds a value that is not finite");
  slices[2][1][1] = -1;
  EXPECT_EQ(refusal([&] { left_right_ratio(slices); }),
            "left/right ratio: slice 2 holds a negative value; expected counts >= 0");
  EXPECT_EQ(refusal([&] { left_right_ratio(slices, 1.5); }),
            "left/right ratio: threshold must be in [0,1); found 1.5");
}

TEST(SliceStatistics, RefusesComponentsOfNothing) {
  EXPECT_EQ(refusal([] {
              principal_components(at::ones({1, 4, 4}));
            }),
            "principal components: needs at least 2 slices with pixels; found [1,4,4]");
  EXPECT_EQ(refusal([] {
              principal_components(at::ones({5, 4, 4}));
            }),
            "principal components: all 5 slices are equal; nothing varies");
  EXPECT_EQ(refusal([] { principal_components(random_slices(1, 5), 0); }),
            "principal components: count must be at least 1; found 0");
  EXPECT_EQ(refusal([] {
              principal_components(random_slices(1, 5, 4, 4)).project(random_slices(1, 5, 8, 4));
            }),
            "principal components: were made of slices of 16 pixels; found [5,8,4]");
}

TEST(SliceStatistics, RefusesDistancesBetweenUnlikeSets) {
  EXPECT_EQ(refusal([] {
              energy_distance(at::zeros({3, 2}), at::zeros({3, 4}));
            }),
            "energy distance: 2 features on one side and 4 on the other; expected as many");
  EXPECT_EQ(refusal([] {
              energy_distance(at::zeros({1, 2}), at::zeros({3, 2}), true);
            }),
            "energy distance: needs at least 2 rows a side; found 1");
  EXPECT_EQ(refusal([] {
              energy_distance(at::zeros({2, 2, 2}), at::zeros({3, 2}));
            }),
            "energy distance: expected features [N,K] of floating point; found [2,2,2]");
  EXPECT_EQ(refusal([] {
              energy_distance(at::full({2, 2}, std::numeric_limits<float>::infinity()),
                              at::zeros({3, 2}));
            }),
            "energy distance: a feature is not finite; expected finite numbers");
  EXPECT_EQ(refusal([] {
              nearest_slices(at::ones({1, 8, 8}), at::ones({1, 8, 9}));
            }),
            "nearest slices: slices of 8 x 8 pixels cannot be compared with reference slices of "
            "8 x 9");
  EXPECT_EQ(refusal([] {
              nearest_slices(at::ones({1, 8, 8}), at::ones({1, 8, 8}), 4);
            }),
            "nearest slices: shift must be from 0 to under half the matrix; found 4");
}

TEST(SliceStatistics, BothWaysAtOnceAreTheTwoSearches) {
  for (const bool flips : {true, false}) {
    const auto a = Random(1, "a").uniform_tensor({45, 20, 18});
    auto b = Random(2, "b").uniform_tensor({37, 20, 18});
    b[5] = at::roll(a[40].flip({1}), {1, -2}, {0, 1});  // nearly a copy, but for its edges
    const auto both = nearest_both_ways(a, b, 2, flips);
    const auto there = nearest_slices(a, b, 2, flips), back = nearest_slices(b, a, 2, flips);
    EXPECT_TRUE(both.of_slices.distance.equal(there.distance));
    EXPECT_TRUE(both.of_slices.index.equal(there.index));
    EXPECT_TRUE(at::allclose(both.of_reference.distance, back.distance, 1e-6, 1e-9));
    EXPECT_GE((both.of_reference.index == back.index).sum().item<int64_t>(), 36);
    if (flips) {
      EXPECT_EQ(both.of_reference.index[5].item<int64_t>(), 40);
    }
  }
}

}  // namespace
}  // namespace scintigen
