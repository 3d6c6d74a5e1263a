// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>

#include "core/nifti_bytes.h"
#include "core/random.h"
#include "core/temporary_folder.h"
#include "imaging/slices.h"

namespace scintigen {
namespace {

TEST(Slices, ProblemsByTheirText) {
  Volume volume;
  volume.voxels = torch::rand({4, 5, 6});
  EXPECT_EQ(slice_problem(volume, 1), "");
  volume.voxels[1].fill_(7);
  EXPECT_EQ(slice_problem(volume, 1), "is constant (every value is 7)");
  volume.voxels[1].fill_(0);
  EXPECT_EQ(slice_problem(volume, 1), "is empty (no value above 0)");
  volume.voxels[1].fill_(-2);
  EXPECT_EQ(slice_problem(volume, 1), "is empty (no value above 0)");
  volume.voxels[2][3][4] = std::nan("");
  volume.voxels[2][4][0] = INFINITY;
  EXPECT_EQ(slice_problem(volume, 2), "holds 2 non-finite values, the first at voxel [4,3,2]");
  EXPECT_EQ(slice_problem(volume, 3), "");
}

/// The mean of the slice over each new pixel, by areas of intersection, pixel against pixel.
torch::Tensor brute_force_area(const torch::Tensor& slice, double row_mm, double column_mm,
                               int64_t matrix, double fov_mm) {
  const auto source = slice.to(torch::kDouble).contiguous();
  auto out = torch::zeros({matrix, matrix}, torch::kDouble);
  const auto in = source.accessor<double, 2>();
  auto result = out.accessor<double, 2>();
  const double pixel = fov_mm / static_cast<double>(matrix);
  const double top = -0.5 * static_cast<double>(slice.size(0)) * row_mm;
  const double left = -0.5 * static_cast<double>(slice.size(1)) * column_mm;
  const auto overlap = [](double a, double b, double c, double d) {
    return std::max(0.0, std::min(b, d) - std::max(a, c));
  };
  for (int64_t r = 0; r < matrix; ++r)
    for (int64_t c = 0; c < matrix; ++c)
      for (int64_t j = 0; j < slice.size(0); ++j) {
        const double y = -fov_mm / 2 + pixel * static_cast<double>(r);
        const double v = top + row_mm * static_cast<double>(j);
        const double tall = overlap(y, y + pixel, v, v + row_mm);
        if (tall == 0) continue;
        for (int64_t i = 0; i < slice.size(1); ++i) {
          const double x = -fov_mm / 2 + pixel * static_cast<double>(c);
          const double u = left + column_mm * static_cast<double>(i);
          result[r][c] +=
              in[j][i] * tall * overlap(x, x + pixel, u, u + column_mm) / (pixel * pixel);
        }
      }
  return out;
}

TEST(Slices, ResamplingIsTheMeanOverEachNewPixel) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    Random random(seed, "resample");
    const int64_t matrix = random.integer(1, 40);
    const double row_mm = 0.5 + random.uniform(), column_mm = 0.5 + random.uniform();
    const int64_t height = random.integer(matrix, 120), width = random.integer(matrix, 120);
    const auto slice = random.uniform_tensor({height, width});
    const double whole = field_of_view_mm(slice, row_mm, column_mm);
    // as large as the pixels allow while they still grow, and a cut one
    const double least = static_cast<double>(matrix) * std::max(row_mm, column_mm);
    for (const double fov : {std::max(whole, least), std::max(0.6 * whole, least)}) {
      const auto ours = resample_to_matrix(slice, row_mm, column_mm, matrix, fov);
      const auto expected = brute_force_area(slice, row_mm, column_mm, matrix, fov);
      EXPECT_LT((ours - expected).abs().max().item<double>(), 1e-6) << seed;
    }
  }
}

TEST(Slices, SumTimesAreaIsKeptAtAnySize) {
  for (const int64_t height : {1, 2, 63, 64, 65, 128, 300})
    for (const int64_t width : {1, 64, 127, 300})
      for (const int64_t matrix : {1, 8, 33, 64}) {
        const double row_mm = 2, column_mm = 1.25;
        const auto slice = torch::rand({height, width}) + 0.1;
        const double fov =
            std::max(field_of_view_mm(slice, row_mm, column_mm), 2.0 * static_cast<double>(matrix));
        const auto out = resample_to_matrix(slice, row_mm, column_mm, matrix, fov);
        const double before = slice.sum(torch::kDouble).item<double>() * row_mm * column_mm;
        const double pixel = fov / static_cast<double>(matrix);
        EXPECT_NEAR(out.sum(torch::kDouble).item<double>() * pixel * pixel / before, 1, 1e-5);
      }
}

TEST(Slices, AConstantStaysConstantInsideTheSlice) {
  for (const int64_t size :
       {1, 2, 5, 31, 64, 100, 256, 300}) {  // pixels shrink below 64 and grow above
    const auto out = resample_to_matrix(torch::full({size, size}, 3.5f), 1.7, 1.7, 64,
                                        1.7 * static_cast<double>(size));
    EXPECT_LT((out - 3.5f).abs().max().item<double>(), 1e-5) << size;
  }
  // twice as tall as wide: the outer quarters are padding
  const auto out = resample_to_matrix(torch::full({128, 64}, 2.f), 1, 1, 64, 128);
  EXPECT_EQ(out.slice(1, 0, 16).abs().max().item<float>(), 0.f);
  EXPECT_EQ(out.slice(1, 48).abs().max().item<float>(), 0.f);
  EXPECT_LT((out.slice(1, 16, 48) - 2).abs().max().item<double>(), 1e-6);
}

TEST(Slices, TheSameMatrixIsTheSameSlice) {
  const auto slice = torch::rand({64, 64});
  EXPECT_TRUE(torch::equal(resample_to_matrix(slice, 3.6, 3.6, 64, 64 * 3.6), slice));
}

TEST(Slices, LinearWherePixelsShrink) {
  const auto ramp = torch::arange(16, torch::kFloat).unsqueeze(0).expand({16, 16});
  const auto out = resample_to_matrix(ramp, 4, 4, 64, 64);
  for (int64_t c = 2; c < 62; ++c) {  // centre of new pixel c in old pixels
    EXPECT_NEAR(out[20][c].item<double>(), (static_cast<double>(c) + 0.5) / 4 - 0.5, 1e-5);
  }
  EXPECT_EQ(out[0][0].item<float>(), 0.f);
  EXPECT_EQ(out[63][63].item<float>(), 15.f);
}

/// A disc in millimetres is a disc on the matrix, in the same place, whatever the pixels.
TEST(Slices, AspectAndPlaceAreKept) {
  const double row_mm = 3, column_mm = 1.5;
  for (const int64_t matrix : {48, 64, 200}) {
    const auto rows =
        (torch::arange(90, torch::kDouble) - 44.5) * row_mm - 30;  // 30 mm below the middle
    const auto columns = (torch::arange(160, torch::kDouble) - 79.5) * column_mm + 20;
    const auto square = rows.unsqueeze(1).pow(2) + columns.unsqueeze(0).pow(2);
    const auto out = resample_to_matrix(torch::exp(-square / (2 * 225)).to(torch::kFloat), row_mm,
                                        column_mm, matrix, 270)
                         .to(torch::kDouble);
    const double pixel = 270.0 / static_cast<double>(matrix);
    const auto axis =
        (torch::arange(matrix, torch::kDouble) - static_cast<double>(matrix - 1) / 2) * pixel;
    const double total = out.sum().item<double>();
    const double y = (out.sum(1) * axis).sum().item<double>() / total;
    const double x = (out.sum(0) * axis).sum().item<double>() / total;
    EXPECT_NEAR(y, 30, 0.05);
    EXPECT_NEAR(x, -20, 0.05);
    const double tall = (out.sum(1) * (axis - y).pow(2)).sum().item<double>() / total;
    const double wide = (out.sum(0) * (axis - x).pow(2)).sum().item<double>() / total;
    EXPECT_NEAR(tall / wide, 1, 0.03) << matrix;
  }
}

TEST(Slices, ResamplingRefusesNonsense) {
  const auto slice = torch::rand({4, 4});
  EXPECT_REFUSED(resample_to_matrix(slice, 0, 1, 64, 4), "all must be above 0");
  EXPECT_REFUSED(resample_to_matrix(slice, 1, 1, 0, 4), "all must be above 0");
  EXPECT_REFUSED(resample_to_matrix(slice, 1, 1, 64, std::nan("")), "all must be above 0");
}

}  // namespace
}  // namespace scintigen
