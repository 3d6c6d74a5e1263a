// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>

#include "core/connected_components.h"
#include "core/error.h"
#include "core/mask_morphology.h"
#include "core/safetensors.h"

namespace scintigen {
namespace {

const TensorFile& golden() {
  static const TensorFile file = read_tensors(SCINTIGEN_TEST_GOLDEN "/core/masks.safetensors");
  return file;
}

constexpr std::array<double, 3> kCube = {1, 1, 1}, kFlat = {1.25, 1, 3};

torch::Tensor noise_mask(uint64_t seed, at::IntArrayRef shape, double part) {
  const auto generator = at::detail::createCPUGenerator(seed);
  return torch::rand(shape, generator).lt(part);
}

template <class Call>
void expect_refusal(Call call, const std::string& text) {
  try {
    call();
    FAIL() << "no refusal: " << text;
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(text), std::string::npos) << error.what();
  }
}

TEST(Components, LabelsAreThoseOfScipy) {
  for (const std::string mask : {"blobs", "sparse"})
    for (const auto& [neighbours, name] : {std::pair{Neighbours::kFaces6, "6"},
                                           {Neighbours::kEdges18, "18"},
                                           {Neighbours::kCorners26, "26"}}) {
      const auto found = connected_components(golden().at(mask), neighbours);
      const auto& expected = golden().at(mask + ".labels" + name);
      EXPECT_TRUE(torch::equal(found.labels, expected)) << mask << " " << name;
      for (size_t label = 0; label < found.sizes.size(); ++label)
        EXPECT_EQ(found.sizes[label],
                  expected.eq(static_cast<int64_t>(label)).sum().item<int64_t>());
      EXPECT_EQ(static_cast<int64_t>(found.sizes.size()), expected.max().item<int64_t>() + 1);
    }
}

TEST(Components, TwoVoxelsTouchByFaceEdgeAndCorner) {
  const int64_t steps[3][3] = {{0, 0, 1}, {0, 1, 1}, {1, 1, 1}};
  for (int64_t shared = 0; shared < 3; ++shared)
    for (int64_t sign = 0; sign < 8; ++sign) {
      auto mask = torch::zeros({5, 5, 5});
      mask[2][2][2] = 1;
      int64_t at[3];
      for (int64_t a = 0; a < 3; ++a)
        at[a] = 2 + ((sign >> a & 1) != 0 ? 1 : -1) * steps[shared][a];
      mask[at[0]][at[1]][at[2]] = 3;
      int64_t level = 0;
      for (const auto neighbours :
           {Neighbours::kFaces6, Neighbours::kEdges18, Neighbours::kCorners26}) {
        const size_t expected = shared <= level++ ? 1 : 2;
        EXPECT_EQ(connected_components(mask, neighbours).sizes.size() - 1, expected);
      }
    }
}

TEST(Components, LargestAndNone) {
  auto mask = torch::zeros({4, 6, 7}, torch::kByte);
  mask.index_put_({0, 0, torch::indexing::Slice(0, 3)}, 1);
  mask.index_put_({2, torch::indexing::Slice(1, 5), 4}, 1);
  auto expected = torch::zeros({4, 6, 7}, torch::kBool);
  expected.index_put_({2, torch::indexing::Slice(1, 5), 4}, true);
  EXPECT_TRUE(torch::equal(largest_component(mask, Neighbours::kCorners26), expected));
  EXPECT_FALSE(largest_component(torch::zeros({3, 3, 3}), Neighbours::kFaces6).any().item<bool>());
  EXPECT_EQ(connected_components(torch::zeros({0, 3, 3}), Neighbours::kFaces6).sizes.size(), 1U);
}

TEST(Components, HolesAreThoseOfScipy) {
  for (const std::string mask : {"blobs", "sparse"})
    EXPECT_TRUE(torch::equal(fill_holes(golden().at(mask)), golden().at(mask + ".filled"))) << mask;
}

TEST(Components, ACavityIsFilledAndATunnelIsNot) {
  auto shell = torch::ones({5, 5, 5}, torch::kBool);
  shell[2][2][2] = false;
  EXPECT_TRUE(fill_holes(shell).all().item<bool>());
  shell.index_put_({2, 2, torch::indexing::Slice()}, false);
  EXPECT_TRUE(torch::equal(fill_holes(shell), shell));
}

TEST(MaskMorphology, DistancesAreThoseOfScipy) {
  for (const std::string mask : {"blobs", "sparse"})
    for (const auto& [grid, spacing] : {std::pair{"cube", kCube}, {"flat", kFlat}}) {
      const auto found = distance_to_outside_mm(golden().at(mask), spacing);
      const auto& expected = golden().at(mask + "." + grid + ".distance");
      EXPECT_TRUE(torch::allclose(found, expected, 1e-6, 0)) << mask << " " << grid;
    }
}

TEST(MaskMorphology, BallsAreThoseOfScipy) {
  for (const std::string mask : {"blobs", "sparse"})
    for (const auto& [grid, spacing] : {std::pair{"cube", kCube}, {"flat", kFlat}})
      for (const auto& [radius, name] : {std::pair{1.0, "1"}, {2.5, "2.5"}, {4.0, "4"}}) {
        const auto& in = golden().at(mask);
        const auto stem = mask + "." + grid;
        EXPECT_TRUE(torch::equal(erode(in, radius, spacing), golden().at(stem + ".erode" + name)))
            << stem << name;
        EXPECT_TRUE(torch::equal(dilate(in, radius, spacing), golden().at(stem + ".dilate" + name)))
            << stem << name;
      }
}

TEST(MaskMorphology, DistanceIsTheLeastOfAllPairs) {
  for (uint64_t seed = 0; seed < 8; ++seed) {
    const std::array<double, 3> spacing = {0.7 + 0.3 * double(seed), 1.1, 2.3};
    const auto mask = noise_mask(seed, {5, 7, 6}, 0.9);
    const auto found = distance_to_outside_mm(mask, spacing);
    const auto outside = mask.logical_not().nonzero().to(torch::kDouble);
    ASSERT_GT(outside.size(0), 0);
    const auto step = torch::tensor({spacing[2], spacing[1], spacing[0]}, torch::kDouble);
    const auto points = torch::ones_like(mask).nonzero().to(torch::kDouble);
    const auto expected = torch::cdist(points * step, outside * step).amin(1).view(mask.sizes());
    EXPECT_TRUE(torch::allclose(found.to(torch::kDouble), expected, 1e-6, 1e-6)) << seed;
  }
}

TEST(MaskMorphology, ErosionAndDilationMirrorEachOther) {
  for (uint64_t seed = 0; seed < 8; ++seed) {
    const auto mask = noise_mask(seed, {8, 9, 10}, 0.5);
    const auto turned = mask.logical_not();
    EXPECT_TRUE(torch::equal(erode(mask, 2, kFlat), dilate(turned, 2, kFlat).logical_not()));
    EXPECT_TRUE(torch::equal(erode(mask, 0, kFlat), mask));
  }
}

TEST(MaskMorphology, FullAndEmptyMasks) {
  const auto full = torch::ones({3, 4, 5}), empty = torch::zeros({3, 4, 5});
  EXPECT_TRUE(erode(full, 9, kCube).all().item<bool>());
  EXPECT_FALSE(dilate(empty, 9, kCube).any().item<bool>());
  EXPECT_TRUE(distance_to_outside_mm(full, kCube).isinf().all().item<bool>());
  EXPECT_EQ(signed_distance_mm(full, kCube).max().item<float>(), -INFINITY);
  EXPECT_EQ(signed_distance_mm(empty, kCube).min().item<float>(), INFINITY);
}

TEST(MaskMorphology, TheEdgeOfASlabIsHalfwayBetweenVoxels) {
  auto mask = torch::zeros({4, 4, 9});
  mask.index_put_(
      {torch::indexing::Slice(), torch::indexing::Slice(), torch::indexing::Slice(0, 4)}, 1);
  const auto signed_mm = signed_distance_mm(mask, {2, 2, 2})[1][1];
  for (int64_t i = 0; i < 9; ++i)
    EXPECT_FLOAT_EQ(signed_mm[i].item<float>(), 2 * (float(i) - 3.5F)) << i;
}

TEST(MaskMorphology, Refusals) {
  expect_refusal(
      [] {
        connected_components(torch::zeros({3, 3}), Neighbours::kFaces6);
      },
      "2 dimensions; expected 3 [D,H,W]");
  expect_refusal([] { erode(torch::zeros({3, 3, 3}), -1, kCube); }, "radius of -1 mm");
  expect_refusal([] { dilate(torch::zeros({3, 3, 3}), 1, {1, 0, 1}); }, "spacing of 0 mm");
  expect_refusal([] { dilate(torch::zeros({3, 3, 3}), 1, {1, NAN, 1}); }, "spacing of nan mm");
}

}  // namespace
}  // namespace scintigen
