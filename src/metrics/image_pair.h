// SPDX-License-Identifier: Apache-2.0
// Two images on one grid, checked once, for every image metric.
// Does: shapes, finite voxels, the mask, which slices hold anything, what lies outside the range.
// Does not: place in the world (core/same_grid.h).
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace scintigen {

/// How the messages name the images.
struct ImageNames {
  std::string a = "A", b = "B", mask = "mask";
};

/// The interval [low, low + width] that the values of both images may take by their nature. PSNR
/// and SSIM depend on the width: it is never guessed from the images, since then the same
/// difference would score otherwise beside another image.
struct DataRange {
  double width = 0;  ///< R of the formulas, > 0
  double low = 0;
};

struct ImagePair {
  torch::Tensor a, b;         ///< float32 [D,H,W], CPU, contiguous, finite
  torch::Tensor mask;         ///< uint8 [D,H,W] of 0 and 1; undefined = none
  std::vector<bool> counted;  ///< [D] false: both images hold one and the same value throughout the
                              ///< slice (background, which would only flatter a mean over slices)
  int64_t mask_voxels = 0;

  int64_t depth() const { return a.size(0); }
  int64_t height() const { return a.size(1); }
  int64_t width() const { return a.size(2); }
  bool masked() const { return mask.defined(); }
  const uint8_t* mask_data() const { return masked() ? mask.data_ptr<uint8_t>() : nullptr; }
  int64_t slices_counted() const;
};

/// a, b [D,H,W] (a single image: D = 1) of floating point, computed as float32; mask [D,H,W] of any
/// number, inside where it is not 0, or undefined.
/// throws  Error naming the image: not three-dimensional, other shapes, no voxels, voxels that are
///         not finite (with their number), a mask that is empty or of another shape.
/// Checked tests/metrics/test_image_pair.cpp
ImagePair image_pair(const torch::Tensor& a, const torch::Tensor& b, const torch::Tensor& mask = {},
                     const ImageNames& names = {});

/// throws  Error: width not a finite number > 0, low not finite.
void check_range(const DataRange& range);

/// Voxels of [D,H,W] float32 below low or above low + width; a breath of float32's rounding is
/// allowed.
int64_t voxels_outside(const torch::Tensor& image, const DataRange& range);

/// Smallest and largest value.
std::pair<double, double> value_span(const torch::Tensor& image);

}  // namespace scintigen
