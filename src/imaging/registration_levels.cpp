// SPDX-License-Identifier: Apache-2.0
#include "imaging/registration_levels.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"
#include "core/grid.h"
#include "core/random.h"

namespace scintigen {
namespace {

constexpr double kMarginMm = 15;              // background around the head: its outline counts
constexpr double kForegroundOfBright = 0.15;  // of the 99th percentile
constexpr double kBright = 0.99, kHighOfForeground = 0.9;
// A spline about a value takes its bin, one below and two above; rounding must not leave the table.
constexpr float kLowestValue = 1.01F, kHighestValue = static_cast<float>(kBins) - 2.01F;
constexpr double kStray = 0.005;  // part of the foreground that may lie beyond the box

float percentile(std::vector<float>& values, double part) {
  const auto at = static_cast<int64_t>(part * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return values[static_cast<size_t>(at)];
}

Point voxel_centre(const Volume& volume) {
  Point middle;
  for (size_t axis = 0; axis < 3; ++axis)
    middle[axis] =
        0.5 * static_cast<double>(volume.voxels.size(2 - static_cast<int64_t>(axis)) - 1);
  return transform_point(volume.voxel_to_world, middle);
}

/// Where the foreground's mass along one axis begins and ends.
std::array<double, 2> extent(const std::vector<double>& mass, double all) {
  std::array<double, 2> ends{0, static_cast<double>(mass.size() - 1)};
  double sum = 0;
  for (size_t i = 0; i < mass.size(); ++i) {
    if (sum <= kStray * all) ends[0] = static_cast<double>(i);
    if (sum < (1 - kStray) * all) ends[1] = static_cast<double>(i);
    sum += mass[i];
  }
  return ends;
}

ScanContent content_of(const Volume& coarse, const std::string& name) {
  const float* voxels = coarse.voxels.data_ptr<float>();
  std::vector<float> sorted(voxels, voxels + coarse.voxels.numel());
  ScanContent content;
  const float bright = percentile(sorted, kBright), dark = percentile(sorted, 0.005);
  require(bright > dark, "register: the {} scan has no contrast: {} to {}", name, dark, bright);
  const float threshold = dark + static_cast<float>(kForegroundOfBright) * (bright - dark);
  const auto& grid = coarse.voxels;
  std::array<std::vector<double>, 3> mass;
  for (size_t axis = 0; axis < 3; ++axis)
    mass[axis].resize(static_cast<size_t>(grid.size(2 - static_cast<int64_t>(axis))));
  double all = 0;
  sorted.clear();
  Point moment{};
  const float* value = voxels;
  for (size_t k = 0; k < mass[2].size(); ++k)
    for (size_t j = 0; j < mass[1].size(); ++j)
      for (size_t i = 0; i < mass[0].size(); ++i, ++value) {
        if (*value <= threshold) continue;
        ++all, ++mass[0][i], ++mass[1][j], ++mass[2][k];
        moment[0] += static_cast<double>(i), moment[1] += static_cast<double>(j),
            moment[2] += static_cast<double>(k);
        sorted.push_back(*value);
      }
  for (size_t axis = 0; axis < 3; ++axis) {
    const auto ends = extent(mass[axis], all);
    content.box_low[axis] = ends[0], content.box_high[axis] = ends[1];
    moment[axis] /= all;
  }
  content.low = dark;
  content.high = std::max(threshold, percentile(sorted, kHighOfForeground));
  content.centre_of_mass = transform_point(coarse.voxel_to_world, moment);
  content.centre = voxel_centre(coarse);
  return content;
}

/// The nearest voxel of `mask`; 0 outside.
float value_at(const Volume& mask, const Point& at) {
  std::array<int64_t, 3> index{};
  for (size_t axis = 0; axis < 3; ++axis) {
    index[axis] = std::llround(at[axis]);
    if (index[axis] < 0 || index[axis] >= mask.voxels.size(2 - static_cast<int64_t>(axis)))
      return 0;
  }
  return mask.voxels.data_ptr<
      float>()[(index[2] * mask.voxels.size(1) + index[1]) * mask.voxels.size(2) + index[0]];
}

/// Linear; positions outside are moved to the edge.
float linear_value(const Volume& volume, const Point& position) {
  std::array<std::array<int64_t, 2>, 3> at{};
  std::array<std::array<float, 2>, 3> w{};
  for (size_t axis = 0; axis < 3; ++axis) {
    const int64_t last = volume.voxels.size(2 - static_cast<int64_t>(axis)) - 1;
    const double p = std::clamp(position[axis], 0.0, static_cast<double>(last));
    const auto base = static_cast<int64_t>(p);
    at[axis] = {base, std::min(base + 1, last)};
    w[axis][1] = static_cast<float>(p - static_cast<double>(base));
    w[axis][0] = 1 - w[axis][1];
  }
  const float* voxels = volume.voxels.data_ptr<float>();
  const int64_t row = volume.voxels.size(2), plane = row * volume.voxels.size(1);
  float sum = 0;
  for (size_t c = 0; c < 2; ++c)
    for (size_t b = 0; b < 2; ++b) {
      const float* line = voxels + at[2][c] * plane + at[1][b] * row;
      sum += w[2][c] * w[1][b] * (w[0][0] * line[at[0][0]] + w[0][1] * line[at[0][1]]);
    }
  return sum;
}

/// Sums of `block` planes, rows, voxels: [nk][nj][ni] of one output plane.
void reduce_plane(const float* from, int64_t stride_k, int64_t stride_j,
                  const std::array<int64_t, 3>& block, int64_t nj, int64_t ni, float* to) {
  std::vector<float> row(static_cast<size_t>(ni * block[0]));
  const float scale = 1.0F / static_cast<float>(block[0] * block[1] * block[2]);
  for (int64_t j = 0; j < nj; ++j, to += ni) {
    std::fill(row.begin(), row.end(), 0.0F);
    for (int64_t c = 0; c < block[2]; ++c)
      for (int64_t b = 0; b < block[1]; ++b) {
        const float* in = from + c * stride_k + (j * block[1] + b) * stride_j;
        for (size_t i = 0; i < row.size(); ++i) row[i] += in[i];
      }
    for (int64_t i = 0; i < ni; ++i) {
      float sum = 0;
      for (int64_t a = 0; a < block[0]; ++a) sum += row[static_cast<size_t>(i * block[0] + a)];
      to[i] = sum * scale;
    }
  }
}

}  // namespace

Volume reduced(const Volume& volume, double spacing) {
  const auto have = spacing_mm(volume.voxel_to_world);
  std::array<int64_t, 3> block{}, n{};
  Grid grid = grid_of(volume);
  const std::array<int64_t, 3> sides = {grid.ni, grid.nj, grid.nk};
  for (size_t axis = 0; axis < 3; ++axis) {
    const double wanted = std::clamp(std::round(spacing / have[axis]), 1.0, 64.0);
    block[axis] = std::min(sides[axis], static_cast<int64_t>(wanted));
    n[axis] = sides[axis] / block[axis];
  }
  if (block == std::array<int64_t, 3>{1, 1, 1}) return volume;
  for (size_t row = 0; row < 3; ++row)
    for (size_t axis = 0; axis < 3; ++axis) {
      const double step = volume.voxel_to_world[row][axis];
      grid.voxel_to_world[row][3] += 0.5 * static_cast<double>(block[axis] - 1) * step;
      grid.voxel_to_world[row][axis] = step * static_cast<double>(block[axis]);
    }
  const int64_t stride_j = grid.ni, stride_k = grid.ni * grid.nj;
  grid.ni = n[0], grid.nj = n[1], grid.nk = n[2];
  Volume result = empty_volume(grid, volume.unit);
  const float* from = volume.voxels.data_ptr<float>();
  float* to = result.voxels.data_ptr<float>();
  at::parallel_for(0, n[2], 1, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k)
      reduce_plane(from + k * block[2] * stride_k, stride_k, stride_j, block, n[1], n[0],
                   to + k * n[1] * n[0]);
  });
  return result;
}

void require_scan(const Volume& scan, const std::string& name) {
  const auto& voxels = scan.voxels;
  require(voxels.defined() && voxels.dim() == 3 && voxels.scalar_type() == torch::kFloat &&
              voxels.device().is_cpu() && voxels.numel() > 0,
          "register: the {} scan's voxels are not float32 [D,H,W] on the CPU, or there are none",
          name);
  const double size = determinant(scan.voxel_to_world);
  require(std::isfinite(size) && size != 0,
          "register: the {} scan's voxel-to-world map is singular or not finite", name);
}

Pyramid pyramid(const Volume& scan, const std::vector<double>& spacings_mm,
                const std::string& name) {
  require_scan(scan, name);
  Pyramid result;
  result.levels.resize(spacings_mm.size());
  Volume finer{scan.voxels.contiguous(), scan.voxel_to_world, scan.unit};
  for (size_t level = spacings_mm.size(); level-- > 0;)
    finer = result.levels[level] = reduced(finer, spacings_mm[level]);
  // A voxel that is not finite shows in the mean of its block; the rest of less than a block is
  // never looked at.
  require(torch::isfinite(result.levels.back().voxels).all().item<bool>(),
          "register: the {} scan has voxels that are not finite; set them to numbers first", name);
  result.content = content_of(result.levels.front(), name);
  return result;
}

SamplePoints sample_points(const Pyramid& fixed, size_t level, double spacing_mm_wanted,
                           const std::optional<Volume>& mask) {
  const Volume& coarse = fixed.levels.front();
  const Volume& volume = fixed.levels[level];
  const Affine world_to_voxel = inverse(volume.voxel_to_world);
  const Affine world_to_mask = mask ? inverse(mask->voxel_to_world) : Affine{};
  const auto spacing = spacing_mm(coarse.voxel_to_world);
  std::array<int64_t, 3> count{};
  Point first{}, step{};
  for (size_t axis = 0; axis < 3; ++axis) {
    const double margin = kMarginMm / spacing[axis];
    const auto last = static_cast<double>(coarse.voxels.size(2 - static_cast<int64_t>(axis))) - 0.5;
    const double low = std::max(-0.5, fixed.content.box_low[axis] - margin),
                 high = std::min(last, fixed.content.box_high[axis] + margin);
    count[axis] =
        std::clamp<int64_t>(std::llround((high - low) * spacing[axis] / spacing_mm_wanted), 1, 512);
    step[axis] = (high - low) / static_cast<double>(count[axis]);
    first[axis] = low + 0.5 * step[axis];
  }
  SamplePoints points;
  points.centre = fixed.content.centre_of_mass;
  Random random(1, "registration");
  const float scale = static_cast<float>(kBins) / (fixed.content.high - fixed.content.low);
  for (int64_t k = 0; k < count[2]; ++k)
    for (int64_t j = 0; j < count[1]; ++j)
      for (int64_t i = 0; i < count[0]; ++i) {
        Point at;
        const std::array<int64_t, 3> index = {i, j, k};
        for (size_t axis = 0; axis < 3; ++axis)
          at[axis] = first[axis] +
                     step[axis] * (static_cast<double>(index[axis]) + random.uniform() - 0.5);
        const Point world = transform_point(coarse.voxel_to_world, at);
        if (mask && !(value_at(*mask, transform_point(world_to_mask, world)) > 0)) continue;
        const float value = linear_value(volume, transform_point(world_to_voxel, world));
        for (size_t axis = 0; axis < 3; ++axis)
          points.place.push_back(static_cast<float>(world[axis] - points.centre[axis]));
        points.place.push_back(1);
        points.bin.push_back(std::clamp<int32_t>(
            static_cast<int32_t>(std::floor((value - fixed.content.low) * scale)), 0, kBins - 1));
      }
  return points;
}

MovingLevel moving_level(const Pyramid& moving, size_t level) {
  const Volume& volume = moving.levels[level];
  MovingLevel result{SplineVolume(volume.voxels), inverse(volume.voxel_to_world)};
  const float low = moving.content.low, high = moving.content.high;
  const float scale = (kHighestValue - kLowestValue) / (high - low);
  for (float& value : result.values.values)
    value = kLowestValue + (std::clamp(value, low, high) - low) * scale;
  result.values.mirror_edges();
  return result;
}

}  // namespace scintigen
