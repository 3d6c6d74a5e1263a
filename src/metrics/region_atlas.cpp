// SPDX-License-Identifier: Apache-2.0
#include "metrics/region_atlas.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <limits>

#include "core/error.h"

namespace scintigen {
namespace {

constexpr size_t kSmallPart = 10;  // a part of the mask below the largest's size / 10 is no brain
constexpr size_t kMostRegions = 255;

struct Box {
  int64_t top = 0, bottom = -1, left = 0, right = -1;  // both ends inside
  bool empty() const { return bottom < top; }
  int64_t rows() const { return bottom - top + 1; }
  int64_t columns() const { return right - left + 1; }
};

template <class Value>
Box box_above_0(const Value* values, int64_t height, int64_t width) {
  Box box{height, -1, width, -1};
  for (int64_t row = 0; row < height; ++row)
    for (int64_t column = 0; column < width; ++column) {
      if (values[row * width + column] == 0) continue;
      box.top = std::min(box.top, row), box.bottom = row;
      box.left = std::min(box.left, column), box.right = std::max(box.right, column);
    }
  return box;
}

/// Takes the pixels of small parts out of a mask of 0 and 1.
void drop_small_parts(std::vector<uint8_t>& mask, int64_t height, int64_t width) {
  std::vector<int64_t> order;  // pixels, part after part
  std::vector<size_t> starts;
  order.reserve(mask.size());
  for (size_t seed = 0; seed < mask.size(); ++seed) {
    if (mask[seed] != 1) continue;
    starts.push_back(order.size());
    order.push_back(static_cast<int64_t>(seed));
    mask[seed] = 2;  // seen
    for (size_t next = starts.back(); next < order.size(); ++next) {
      const int64_t row = order[next] / width, column = order[next] % width;
      for (int64_t r = std::max<int64_t>(row - 1, 0); r <= std::min(row + 1, height - 1); ++r)
        for (int64_t c = std::max<int64_t>(column - 1, 0); c <= std::min(column + 1, width - 1);
             ++c) {
          auto& pixel = mask[static_cast<size_t>(r * width + c)];
          if (pixel != 1) continue;
          pixel = 2;
          order.push_back(r * width + c);
        }
    }
  }
  starts.push_back(order.size());
  size_t largest = 0;
  for (size_t part = 0; part + 1 < starts.size(); ++part)
    largest = std::max(largest, starts[part + 1] - starts[part]);
  for (size_t part = 0; part + 1 < starts.size(); ++part) {
    const bool small = kSmallPart * (starts[part + 1] - starts[part]) < largest;
    for (size_t p = starts[part]; p < starts[part + 1]; ++p)
      mask[static_cast<size_t>(order[p])] = small ? 0 : 1;
  }
}

/// A plane, and the box of its labels.
struct FittedPlane {
  torch::Tensor labels;  // uint8 [H,W], contiguous
  Box box;
};

std::map<std::string, FittedPlane> checked_planes(const RegionAtlas& atlas) {
  require(atlas.regions.size() <= kMostRegions,
          "regional means: the atlas has {} regions; expected at most {}", atlas.regions.size(),
          kMostRegions);
  std::map<std::string, FittedPlane> planes;
  for (const auto& [name, plane] : atlas.planes) {
    require(plane.defined() && plane.dim() == 2 && plane.scalar_type() == torch::kUInt8 &&
                plane.numel() > 0,
            "regional means: plane '{}' of the atlas is not uint8 [H,W]", name);
    const auto most = plane.max().item<int64_t>();
    require(most <= static_cast<int64_t>(atlas.regions.size()),
            "regional means: plane '{}' of the atlas holds label {}; it names {} regions", name,
            most, atlas.regions.size());
    auto labels = plane.to(torch::kCPU).contiguous();
    const auto box = box_above_0(labels.data_ptr<uint8_t>(), labels.size(0), labels.size(1));
    planes.emplace(name, FittedPlane{labels, box});
  }
  return planes;
}

torch::Tensor checked_slices(const torch::Tensor& slices) {
  require(slices.defined() && slices.dim() == 3 && slices.is_floating_point(),
          "regional means: expected slices [N,H,W] of floating point; found {}",
          slices.defined() ? fmt::format("[{}] of {}", fmt::join(slices.sizes(), ","),
                                         std::string(slices.dtype().name()))
                           : std::string("nothing"));
  auto values = slices.detach().to(torch::kCPU, torch::kDouble).contiguous();
  if (values.numel() == 0) return values;
  const auto flat = values.flatten(1);  // not a number is neither of the two
  const auto good =
      (flat.amin(1) >= 0).logical_and(flat.amax(1) <= std::numeric_limits<double>::max());
  if (!good.all().item<bool>())
    throw Error(
        "regional means: slice {} holds a value that is negative or not finite; expected "
        "counts >= 0",
        good.logical_not().nonzero()[0].item<int64_t>());
  return values;
}

/// Writes a number for each of `regions`; NaN stands there before.
void means_of_slice(const double* slice, int64_t height, int64_t width, const FittedPlane& plane,
                    double threshold, size_t regions, double* into) {
  const auto pixels = static_cast<size_t>(height * width);
  const double most = *std::max_element(slice, slice + pixels);
  if (most <= 0 || plane.box.empty()) return;
  std::vector<uint8_t> mask(pixels);
  for (size_t p = 0; p < pixels; ++p) mask[p] = slice[p] > threshold * most;
  drop_small_parts(mask, height, width);
  double brain = 0, brain_pixels = 0;
  for (size_t p = 0; p < pixels; ++p)
    if (mask[p]) brain += slice[p], brain_pixels += 1;
  brain /= brain_pixels;

  const Box box = box_above_0(mask.data(), height, width);
  // Middle of a pixel, as a part of the box, to the label whose pixel it lies in.
  const auto nearest = [](int64_t offset, int64_t length, int64_t labels) {
    return (2 * offset + 1) * labels / (2 * length);
  };
  const uint8_t* const labels = plane.labels.data_ptr<uint8_t>();
  std::array<double, kMostRegions + 1> sum{}, count{};
  for (int64_t row = box.top; row <= box.bottom; ++row) {
    const int64_t from = plane.box.top + nearest(row - box.top, box.rows(), plane.box.rows());
    const uint8_t* const label = labels + from * plane.labels.size(1) + plane.box.left;
    for (int64_t column = box.left; column <= box.right; ++column) {
      const auto region = label[nearest(column - box.left, box.columns(), plane.box.columns())];
      sum[region] += slice[row * width + column];
      count[region] += 1;
    }
  }
  for (size_t r = 0; r < regions; ++r)
    if (count[r + 1] > 0) into[r] = sum[r + 1] / count[r + 1] / brain;
}

}  // namespace

torch::Tensor regional_means(const torch::Tensor& slices, const RegionAtlas& atlas,
                             const std::vector<std::string>& plane_of_slice, double threshold) {
  require(threshold >= 0 && threshold < 1, "regional means: threshold must be in [0,1); found {}",
          threshold);
  const auto values = checked_slices(slices);
  require(static_cast<int64_t>(plane_of_slice.size()) == values.size(0),
          "regional means: {} slices and the planes of {}; expected as many", values.size(0),
          plane_of_slice.size());
  const auto planes = checked_planes(atlas);
  const int64_t height = values.size(1), width = values.size(2);
  const auto regions = static_cast<int64_t>(atlas.regions.size());
  auto means =
      at::full({values.size(0), regions}, std::numeric_limits<double>::quiet_NaN(), torch::kDouble);
  if (values.numel() == 0) return means;
  const double* const slice = values.data_ptr<double>();
  double* const into = means.data_ptr<double>();
  at::parallel_for(0, values.size(0), 16, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      const auto plane = planes.find(plane_of_slice[static_cast<size_t>(n)]);
      if (plane == planes.end()) continue;
      means_of_slice(slice + n * height * width, height, width, plane->second, threshold,
                     atlas.regions.size(), into + n * regions);
    }
  });
  return means;
}

}  // namespace scintigen
