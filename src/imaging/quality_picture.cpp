// SPDX-License-Identifier: Apache-2.0
#include "imaging/quality_picture.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>

#include "core/overlay_picture.h"
#include "imaging/scaling.h"

namespace scintigen {
namespace {

constexpr int64_t kZoom = 2, kGap = 6, kLabel = 20;
constexpr Colour kPaper = {12, 13, 16}, kInk = {220, 224, 230}, kLine = {64, 255, 120};
constexpr double kWhite = 0.998;  // percentile shown as the brightest

/// Voxel that the planes meet in: the middle of the outline's box, or of the volume.
std::array<int64_t, 3> middle(const QualityRow& row) {
  std::array<int64_t, 3> at{};
  for (int64_t d = 0; d < 3; ++d) {
    at[static_cast<size_t>(d)] = row.volume.voxels.size(d) / 2;
    if (!row.outline.voxels.defined()) continue;
    auto line = row.outline.voxels > 0;
    for (int64_t other = 2; other >= 0; --other)
      if (other != d) line = line.any(other, /*keepdim=*/true);
    const auto places = line.flatten().nonzero();
    if (places.numel() > 0)
      at[static_cast<size_t>(d)] =
          (places.min().item<int64_t>() + places.max().item<int64_t>()) / 2;
  }
  return at;
}

void draw_plane(Picture& picture, int64_t left, int64_t top, const torch::Tensor& plane, double low,
                double high, const std::string& map) {
  const auto values = plane.accessor<float, 2>();
  for (int64_t y = 0; y < plane.size(0); ++y)
    for (int64_t x = 0; x < plane.size(1); ++x) {
      const double value = (static_cast<double>(values[y][x]) - low) / std::max(high - low, 1e-12);
      picture.fill(left + kZoom * x, top + kZoom * y, kZoom, kZoom, map_colour(map, value));
    }
}

/// A line along every edge between a pixel inside and one outside.
void draw_outline(Picture& picture, int64_t left, int64_t top, const torch::Tensor& plane) {
  const auto values = plane.accessor<float, 2>();
  const int64_t rows = plane.size(0), columns = plane.size(1);
  const auto inside = [&](int64_t y, int64_t x) {
    return y >= 0 && x >= 0 && y < rows && x < columns && values[y][x] > 0;
  };
  for (int64_t y = 0; y < rows; ++y)
    for (int64_t x = 0; x < columns; ++x) {
      if (!inside(y, x)) continue;
      const int64_t px = left + kZoom * x, py = top + kZoom * y;
      if (!inside(y - 1, x)) picture.fill(px, py, kZoom, 1, kLine);
      if (!inside(y + 1, x)) picture.fill(px, py + kZoom - 1, kZoom, 1, kLine);
      if (!inside(y, x - 1)) picture.fill(px, py, 1, kZoom, kLine);
      if (!inside(y, x + 1)) picture.fill(px + kZoom - 1, py, 1, kZoom, kLine);
    }
}

}  // namespace

Picture quality_picture(const std::vector<QualityRow>& rows) {
  int64_t width = kGap, height = kGap;
  for (const auto& row : rows) {
    const auto& v = row.volume.voxels;
    width = std::max(width, kGap + kZoom * (2 * v.size(2) + v.size(1)) + 3 * kGap);
    height += kLabel + kZoom * std::max(v.size(0), v.size(1)) + kGap;
  }
  Picture picture(width, height, kPaper);
  int64_t top = kGap;
  for (const auto& row : rows) {
    picture.draw_text(kGap, top + 2, row.label, kInk, 2);
    top += kLabel;
    const auto at = middle(row);
    const auto planes = three_planes(row.volume.voxels, at);
    const bool outlined = row.outline.voxels.defined();
    const auto outlines = outlined ? three_planes(row.outline.voxels, at) : planes;
    const double low = std::min(0.0, row.volume.voxels.min().item<double>());
    const double high = percentile_inside(row.volume, outlined ? &row.outline : nullptr, kWhite);
    int64_t left = kGap, tallest = 0;
    for (size_t p = 0; p < 3; ++p) {
      draw_plane(picture, left, top, planes[p], low, high, row.map);
      if (outlined) draw_outline(picture, left, top, outlines[p]);
      const int64_t wide = kZoom * planes[p].size(1);
      picture.draw_text(left + 3, top + 3, p < 2 ? "R" : "A", kInk, 1);
      picture.draw_text(left + wide - 9, top + 3, p < 2 ? "L" : "P", kInk, 1);
      tallest = std::max(tallest, kZoom * planes[p].size(0));
      left += wide + kGap;
    }
    top += tallest + kGap;
  }
  return picture;
}

}  // namespace scintigen
