// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/temporary_folder.h"
#include "metrics/golden_images.h"
#include "metrics/structural_similarity.h"

namespace scintigen {
namespace {

constexpr DataRange kUnit{1, 0};
constexpr auto kGaussian = SimilarityWindow::kGaussian;
constexpr auto kUniform = SimilarityWindow::kUniform;
constexpr auto kSlice = SimilarityExtent::kSlice;
constexpr auto kVolume = SimilarityExtent::kVolume;

void expect_golden(const TensorFile& golden, const std::string& prefix, const DataRange& range,
                   double tolerance) {
  const auto pair = golden_pair(golden, prefix);
  for (const auto window : {kGaussian, kUniform}) {
    const auto name = prefix + (window == kGaussian ? "ssim_gaussian" : "ssim_uniform");
    const auto by_slice = structural_similarity(pair, range, window, kSlice);
    EXPECT_NEAR(by_slice.value, number(golden, name, 0), tolerance) << name;
    EXPECT_NEAR(by_slice.in_mask, number(golden, name, 1), tolerance) << name;
    EXPECT_EQ(by_slice.slices, number(golden, name, 2)) << name;
    EXPECT_EQ(by_slice.slices_in_mask, number(golden, name, 3)) << name;
    const auto volume = structural_similarity(pair, range, window, kVolume);
    EXPECT_NEAR(volume.value, number(golden, name + "_3d", 0), tolerance) << name;
    EXPECT_NEAR(volume.in_mask, number(golden, name + "_3d", 1), tolerance) << name;
  }
}

TEST(StructuralSimilarity, AgreesWithScikitImageInBothConventions) {
  expect_golden(image_golden(), "", kUnit, 1e-12);
}

// E[x^2] - E[x]^2 of counts near 20,000 in a range of 1,000: 4e8 - 4e8 against C2 = 900.
TEST(StructuralSimilarity, AgreesWithScikitImageWhereSquaresCancel) {
  expect_golden(image_golden(), "bright_", {1000, 0}, 1e-9);
}

/// As formula_pair() of tools/make_golden_image_metrics.py.
ImagePair formula_pair(int64_t depth, int64_t height, int64_t width) {
  const auto wave = [](int64_t x, int64_t period) { return std::abs(x % period - period / 2); };
  auto a = at::empty({depth, height, width}), b = at::empty({depth, height, width});
  float *to_a = a.data_ptr<float>(), *to_b = b.data_ptr<float>();
  for (int64_t k = 0; k < depth; ++k)
    for (int64_t j = 0; j < height; ++j)
      for (int64_t i = 0; i < width; ++i) {
        const int64_t value = 3 * wave(i + k, 64) + 2 * wave(j, 48) + 2 * wave(i + 2 * j + k, 14);
        *to_a++ = static_cast<float>(value);
        *to_b++ = static_cast<float>(value * 9 / 10 + (31 * i + 17 * j + 13 * k + i * j) % 23);
      }
  return image_pair(a, b);
}

TEST(MultiScaleSimilarity, AgreesWithSciPyWithOddSides) {
  const auto golden = image_golden();
  const auto by_slice = multi_scale_similarity(formula_pair(3, 177, 190), {250, 0}, kSlice);
  EXPECT_NEAR(by_slice.value, number(golden, "ms_ssim"), 1e-8);  // coarse scales are float32
  EXPECT_EQ(by_slice.slices, 3);
  EXPECT_TRUE(std::isnan(by_slice.in_mask));
  const auto volume = multi_scale_similarity(formula_pair(176, 177, 178), {250, 0}, kVolume);
  EXPECT_NEAR(volume.value, number(golden, "ms_ssim_3d"), 1e-8);
}

TEST(MultiScaleSimilarity, IsTheSameFromAFinestScaleThatIsThere) {
  auto pair = image_pair(random_image(1, 3, 180, 176), random_image(2, 3, 180, 176));
  pair.counted[1] = false;
  const auto finest = structural_similarity(pair, kUnit, kGaussian, kSlice);
  EXPECT_TRUE(std::isnan(finest.contrast[1]));
  const auto found = multi_scale_similarity(pair, kUnit, kSlice, finest);
  EXPECT_EQ(found.value, multi_scale_similarity(pair, kUnit, kSlice).value);
  EXPECT_EQ(found.slices, 2);
  EXPECT_REFUSED(multi_scale_similarity(pair, kUnit, kSlice, Similarity()),
                 "multi-scale SSIM: the finest scale is of another pair or extent");
}

TEST(MultiScaleSimilarity, IdenticalIsOneAndAnticorrelatedIsZero) {
  auto a = random_image(1, 2, 176, 176);
  a[1].fill_(0);
  const auto same = multi_scale_similarity(image_pair(a, a), kUnit, kSlice);
  EXPECT_DOUBLE_EQ(same.value, 1);
  EXPECT_EQ(same.slices, 1);
  const auto noise = a.narrow(0, 0, 1);
  EXPECT_EQ(multi_scale_similarity(image_pair(noise, 1 - noise), kUnit, kSlice).value, 0);
}

TEST(StructuralSimilarity, IdenticalImagesGiveOne) {
  const auto a = random_image(3, 12, 20, 17);
  for (const auto window : {kGaussian, kUniform})
    for (const auto extent : {kSlice, kVolume})
      EXPECT_NEAR(structural_similarity(image_pair(a, a), kUnit, window, extent).value, 1, 1e-14);
}

TEST(StructuralSimilarity, IsSymmetric) {
  const auto a = random_image(3, 12, 20, 17), b = random_image(4, 12, 20, 17);
  for (const auto window : {kGaussian, kUniform})
    for (const auto extent : {kSlice, kVolume})
      EXPECT_NEAR(structural_similarity(image_pair(a, b), kUnit, window, extent).value,
                  structural_similarity(image_pair(b, a), kUnit, window, extent).value, 1e-14);
}

// Between two constants the second factor is 1 and the first is the formula's.
TEST(StructuralSimilarity, OfAConstantAndTheSameShiftedIsTheFormulas) {
  const double c1 = 1e-4, x = 0.25, y = 0.75;
  const auto pair = image_pair(at::full({11, 11, 30}, x), at::full({11, 11, 30}, y));
  for (const auto window : {kGaussian, kUniform})
    for (const auto extent : {kSlice, kVolume})
      EXPECT_NEAR(structural_similarity(pair, kUnit, window, extent).value,
                  (2 * x * y + c1) / (x * x + y * y + c1), 1e-12);
}

TEST(StructuralSimilarity, AFullMaskIsTheWholeImage) {
  const auto a = random_image(3, 13, 20, 17), b = random_image(4, 13, 20, 17);
  const auto pair = image_pair(a, b, at::ones({13, 20, 17}));
  for (const auto window : {kGaussian, kUniform})
    for (const auto extent : {kSlice, kVolume}) {
      const auto found = structural_similarity(pair, kUnit, window, extent);
      EXPECT_NEAR(found.value, found.in_mask, 1e-14);
      EXPECT_EQ(found.windows, found.windows_in_mask);
      EXPECT_EQ(found.slices, found.slices_in_mask);
    }
}

TEST(StructuralSimilarity, DoesNotDependOnTheNumberOfThreads) {
  const auto pair = image_pair(random_image(3, 25, 33, 41), random_image(4, 25, 33, 41));
  const int before = at::get_num_threads();
  for (const auto extent : {kSlice, kVolume}) {
    at::set_num_threads(1);
    const double one = structural_similarity(pair, kUnit, kGaussian, extent).value;
    for (const int threads : {2, 3, 7}) {
      at::set_num_threads(threads);
      EXPECT_EQ(structural_similarity(pair, kUnit, kGaussian, extent).value, one);
    }
  }
  at::set_num_threads(before);
}

TEST(StructuralSimilarity, SlicesWithoutContentAreLeftOut) {
  auto a = random_image(3, 4, 11, 11), b = random_image(4, 4, 11, 11);
  const double three = structural_similarity(image_pair(a.narrow(0, 1, 3), b.narrow(0, 1, 3)),
                                             kUnit, kGaussian, kSlice)
                           .value;
  a[0].fill_(0);
  b[0].fill_(0);
  const auto found = structural_similarity(image_pair(a, b), kUnit, kGaussian, kSlice);
  EXPECT_DOUBLE_EQ(found.value, three);
  EXPECT_EQ(found.slices, 3);
  const auto zeros = at::zeros({3, 11, 11});
  const auto none = structural_similarity(image_pair(zeros, zeros), kUnit, kGaussian, kSlice);
  EXPECT_TRUE(std::isnan(none.value));
  EXPECT_EQ(none.slices, 0);
}

TEST(StructuralSimilarity, AMaskAtTheBorderHoldsNoWindow) {
  auto mask = at::zeros({11, 12, 12});
  mask[3][2][7] = 1;
  const auto a = random_image(3, 11, 12, 12), b = random_image(4, 11, 12, 12);
  const auto pair = image_pair(a, b, mask);
  EXPECT_TRUE(std::isnan(structural_similarity(pair, kUnit, kGaussian, kSlice).in_mask));
  EXPECT_TRUE(std::isnan(structural_similarity(pair, kUnit, kUniform, kSlice).in_mask));
}

TEST(StructuralSimilarity, RefusesImagesSmallerThanTheWindow) {
  const auto pair = image_pair(random_image(1, 6, 10, 40), random_image(2, 6, 10, 40));
  EXPECT_REFUSED(structural_similarity(pair, kUnit, kGaussian, kSlice),
                 "SSIM: the image is 6 x 10 x 40 (slices x rows x columns); expected at least 11 x "
                 "11");
  EXPECT_REFUSED(structural_similarity(pair, kUnit, kUniform, kVolume),
                 "expected at least 7 x 7 x 7");
  EXPECT_NO_THROW(structural_similarity(pair, kUnit, kUniform, kSlice));
  EXPECT_REFUSED(structural_similarity(pair, {-2, 0}, kUniform, kSlice),
                 "data range: expected a number > 0, found -2");
  EXPECT_REFUSED(
      multi_scale_similarity(image_pair(random_image(1, 1, 175, 300), random_image(2, 1, 175, 300)),
                             kUnit, kSlice),
      "multi-scale SSIM: the image is 1 x 175 x 300 (slices x rows x columns); expected "
      "at least 176 x 176");
  EXPECT_REFUSED(multi_scale_similarity(pair, kUnit, kVolume), "expected at least 176 x 176 x 176");
}

}  // namespace
}  // namespace scintigen
