// SPDX-License-Identifier: Apache-2.0
#include "imaging/anatomy_model.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/spline.h"

namespace scintigen {
namespace {

constexpr double kBlockMm = 3, kMarginMm = 20;
constexpr double kNearFwhmMm = 16, kFwhmOfSigma = 2.354820045030949;
constexpr std::array<double, kIntensityMaps> kKnots = {0.02, 0.1, 0.25, 0.45, 0.65, 0.85, 0.98};
constexpr double kAirPart = 0.25;   // of the brain's median: darker outside is air or bone
constexpr int64_t kSampleStep = 7;  // of the brain's voxels, for the knots
constexpr double kBlockVariance = 1.0 / 12 + 1.0 / 3;  // of a block's mean and the spline, blocks^2

float percentile(std::vector<float>& values, double part) {
  const auto at = values.begin() + static_cast<int64_t>(part * double(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

/// What a voxel of the brain adds to the maps.
struct Knots {
  std::array<float, kIntensityMaps> at{};
  float air = 0;

  Knots(const Volume& anatomy, const Volume& brain) {
    const float* value = anatomy.voxels.data_ptr<float>();
    const float* inside = brain.voxels.data_ptr<float>();
    std::vector<float> sample;
    for (int64_t v = 0, count = 0; v < anatomy.voxels.numel(); ++v)
      if (inside[v] > 0 && count++ % kSampleStep == 0) sample.push_back(value[v]);
    for (size_t k = 0; k < at.size(); ++k) at[k] = percentile(sample, kKnots[k]);
    require(at.back() > at.front(), "register: the anatomy is {} all over the brain", at[0]);
    const float least = (at.back() - at.front()) * 1e-3F;  // whole numbers may give a knot twice
    for (size_t k = 1; k < at.size(); ++k) at[k] = std::max(at[k], at[k - 1] + least);
    air = static_cast<float>(kAirPart) * percentile(sample, 0.5);
  }
  size_t below(float value) const {
    size_t knot = 0;
    while (knot + 2 < at.size() && value >= at[knot + 1]) ++knot;
    return knot;
  }
};

}  // namespace

AnatomyMaps::Box AnatomyMaps::find_brain(const Volume& brain) {
  const Grid grid = grid_of(brain);
  const float* in = brain.voxels.data_ptr<float>();
  Box box = {{{grid.ni, -1}, {grid.nj, -1}, {grid.nk, -1}}};
  Point moment{};
  double count = 0;
  for (int64_t k = 0; k < grid.nk; ++k)
    for (int64_t j = 0; j < grid.nj; ++j)
      for (int64_t i = 0; i < grid.ni; ++i) {
        if (!(*in++ > 0)) continue;
        const std::array<int64_t, 3> at = {i, j, k};
        ++count;
        for (size_t axis = 0; axis < 3; ++axis) {
          box[axis][0] = std::min(box[axis][0], at[axis]);
          box[axis][1] = std::max(box[axis][1], at[axis]);
          moment[axis] += double(at[axis]);
        }
      }
  require(count > 0, "register: the brain mask is empty");
  for (double& m : moment) m /= count;
  centre_ = transform_point(brain.voxel_to_world, moment);
  return box;
}

void AnatomyMaps::lay_blocks(const Volume& anatomy, const Box& box) {
  const Grid from = grid_of(anatomy);
  const std::array<int64_t, 3> sides = {from.ni, from.nj, from.nk};
  const auto spacing = spacing_mm(anatomy.voxel_to_world);
  std::array<int64_t, 3> n{};
  grid_.voxel_to_world = anatomy.voxel_to_world;
  for (size_t axis = 0; axis < 3; ++axis) {
    const auto margin = static_cast<int64_t>(std::ceil(kMarginMm / spacing[axis]));
    first_[axis] = std::max<int64_t>(0, box[axis][0] - margin);
    const int64_t voxels = std::min(sides[axis] - 1, box[axis][1] + margin) + 1 - first_[axis];
    block_[axis] = std::clamp<int64_t>(std::llround(kBlockMm / spacing[axis]), 1, voxels);
    n[axis] = voxels / block_[axis];
    const double middle = double(first_[axis]) + 0.5 * double(block_[axis] - 1);
    for (size_t row = 0; row < 3; ++row) {
      grid_.voxel_to_world[row][3] += middle * anatomy.voxel_to_world[row][axis];
      grid_.voxel_to_world[row][axis] *= double(block_[axis]);
    }
  }
  grid_.ni = n[0], grid_.nj = n[1], grid_.nk = n[2];
  world_to_block_ = inverse(grid_.voxel_to_world);
}

void AnatomyMaps::fill(const Volume& anatomy, const Volume& brain) {
  const Grid from = grid_of(anatomy);
  const float* value = anatomy.voxels.data_ptr<float>();
  const float* inside = brain.voxels.data_ptr<float>();
  const Knots knots(anatomy, brain);
  maps_.assign(kMaps, std::vector<float>(static_cast<size_t>(grid_.voxels())));
  const float part = 1.0F / static_cast<float>(block_[0] * block_[1] * block_[2]);
  at::parallel_for(0, grid_.nk, 1, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin * block_[2]; k < end * block_[2]; ++k)
      for (int64_t j = 0; j < grid_.nj * block_[1]; ++j) {
        const int64_t row = ((k + first_[2]) * from.nj + j + first_[1]) * from.ni + first_[0];
        const int64_t to_row = (k / block_[2] * grid_.nj + j / block_[1]) * grid_.ni;
        for (int64_t i = 0; i < grid_.ni * block_[0]; ++i) {
          const float at = value[row + i];
          const auto to = static_cast<size_t>(to_row + i / block_[0]);
          if (!(inside[row + i] > 0)) {
            if (at > knots.air) maps_[kHeadMap][to] += part;
            continue;
          }
          const size_t knot = knots.below(at);
          const float rise = (at - knots.at[knot]) / (knots.at[knot + 1] - knots.at[knot]);
          const float beyond = std::clamp(rise, 0.0F, 1.0F);
          maps_[knot][to] += part * (1 - beyond);
          maps_[knot + 1][to] += part * beyond;
        }
      }
  });
}

AnatomyMaps::AnatomyMaps(const Volume& anatomy, const Volume& brain) {
  lay_blocks(anatomy, find_brain(brain));
  fill(anatomy, brain);
  near_.assign(static_cast<size_t>(grid_.voxels()), 0);
  for (size_t map = 0; map < kIntensityMaps; ++map)
    for (size_t v = 0; v < near_.size(); ++v) near_[v] += maps_[map][v];
  const auto blocks = spacing_mm(grid_.voxel_to_world);
  const double sigma_mm = kNearFwhmMm / kFwhmOfSigma;
  gaussian_blur(near_.data(), grid_.ni, grid_.nj, grid_.nk,
                {sigma_mm / blocks[0], sigma_mm / blocks[1], sigma_mm / blocks[2]});
}

float AnatomyMaps::nearness(const Point& place) const {
  const Point at = transform_point(world_to_block_, place);
  const int64_t i = std::llround(at[0]), j = std::llround(at[1]), k = std::llround(at[2]);
  if (i < 0 || j < 0 || k < 0 || i >= grid_.ni || j >= grid_.nj || k >= grid_.nk) return 0;
  return near_[static_cast<size_t>((k * grid_.nj + j) * grid_.ni + i)];
}

AnatomyModel AnatomyMaps::blurred_to(double fwhm_mm) {
  const auto spacing = spacing_mm(grid_.voxel_to_world);
  const double variance = std::pow(fwhm_mm / kFwhmOfSigma, 2);
  std::array<double, 3> sigma{};
  for (size_t axis = 0; axis < 3; ++axis) {
    const double had = std::max(variance_mm2_, kBlockVariance * spacing[axis] * spacing[axis]);
    sigma[axis] = std::sqrt(std::max(0.0, variance - had)) / spacing[axis];
  }
  variance_mm2_ = std::max(variance, variance_mm2_);
  AnatomyModel model;
  model.grid = grid_, model.fwhm_mm = fwhm_mm;
  model.world_to_block = world_to_block_;
  model.values.resize(static_cast<size_t>(grid_.voxels()) * kMaps);
  at::parallel_for(0, int64_t{kMaps}, 1, [&](int64_t begin, int64_t end) {
    for (auto map = static_cast<size_t>(begin); map < static_cast<size_t>(end); ++map) {
      gaussian_blur(maps_[map].data(), grid_.ni, grid_.nj, grid_.nk, sigma);
      for (size_t v = 0; v < maps_[map].size(); ++v) model.values[v * kMaps + map] = maps_[map][v];
    }
  });
  return model;
}

namespace {

struct Taps {
  int64_t first;  // index of the first of the 4 x 4 x 4 blocks
  float value[3][4], slope[3][4];
};

/// False where not all four blocks along each axis are there.
SCINTIGEN_INLINE bool taps_at(const AnatomyModel& model, const Point& place, Taps& taps) {
  const int64_t sides[3] = {model.grid.ni, model.grid.nj, model.grid.nk};
  const Point at = transform_point(model.world_to_block, place);
  int64_t base[3];
  for (size_t axis = 0; axis < 3; ++axis) {
    if (!(at[axis] >= 1 && at[axis] < double(sides[axis] - 2))) return false;
    base[axis] = static_cast<int64_t>(at[axis]);
    const auto t = static_cast<float>(at[axis] - double(base[axis])), s = 1 - t;
    spline_taps(t, true, taps.value[axis]);
    taps.slope[axis][0] = -0.5F * s * s;
    taps.slope[axis][1] = t * (1.5F * t - 2);
    taps.slope[axis][2] = s * (2 - 1.5F * s);
    taps.slope[axis][3] = 0.5F * t * t;
  }
  taps.first = ((base[2] - 1) * sides[1] + base[1] - 1) * sides[0] + base[0] - 1;
  return true;
}

SCINTIGEN_INLINE float sum_of_product(const Four& a, const Four& b, const MapValues& by) {
  const Four product = a * load_four(by.data()) + b * load_four(by.data() + 4);
  return (product[0] + product[1]) + (product[2] + product[3]);
}

SCINTIGEN_CLONES void sum_values(const float* values, int64_t row, int64_t plane, const Taps& taps,
                                 float* found) {
  Four low{}, high{};
  for (int64_t c = 0; c < 4; ++c)
    for (int64_t b = 0; b < 4; ++b) {
      const float* line = values + c * plane + b * row;
      const float weight = taps.value[2][c] * taps.value[1][b];
      for (int64_t a = 0; a < 4; ++a) {
        const float w = weight * taps.value[0][a];
        low += load_four(line + a * int64_t{kMaps}) * w;
        high += load_four(line + a * int64_t{kMaps} + 4) * w;
      }
    }
  std::memcpy(found, &low, sizeof low);
  std::memcpy(found + 4, &high, sizeof high);
}

/// Slopes per block along i, j, k of the sum of maps that `amounts` weigh.
SCINTIGEN_CLONES void sum_slopes(const float* values, int64_t row, int64_t plane, const Taps& taps,
                                 const MapValues& amounts, float* found, float* slopes) {
  Four low{}, high{};
  for (int64_t c = 0; c < 4; ++c)
    for (int64_t b = 0; b < 4; ++b) {
      const float* line = values + c * plane + b * row;
      Four flat_low{}, flat_high{}, rise_low{}, rise_high{};
      for (int64_t a = 0; a < 4; ++a) {
        const Four first = load_four(line + a * int64_t{kMaps}),
                   second = load_four(line + a * int64_t{kMaps} + 4);
        flat_low += first * taps.value[0][a], flat_high += second * taps.value[0][a];
        rise_low += first * taps.slope[0][a], rise_high += second * taps.slope[0][a];
      }
      const float level = sum_of_product(flat_low, flat_high, amounts);
      const float weight = taps.value[2][c] * taps.value[1][b];
      low += flat_low * weight, high += flat_high * weight;
      slopes[0] += weight * sum_of_product(rise_low, rise_high, amounts);
      slopes[1] += taps.value[2][c] * taps.slope[1][b] * level;
      slopes[2] += taps.slope[2][c] * taps.value[1][b] * level;
    }
  std::memcpy(found, &low, sizeof low);
  std::memcpy(found + 4, &high, sizeof high);
}

}  // namespace

bool AnatomyModel::read(const Point& place, MapValues& found) const {
  Taps taps;
  if (!taps_at(*this, place, taps)) return false;
  const int64_t row = grid.ni * int64_t{kMaps};
  sum_values(values.data() + taps.first * int64_t{kMaps}, row, row * grid.nj, taps, found.data());
  return true;
}

bool AnatomyModel::read(const Point& place, const MapValues& amounts, MapValues& found,
                        Point& slope) const {
  Taps taps;
  if (!taps_at(*this, place, taps)) return false;
  const int64_t row = grid.ni * int64_t{kMaps};
  float by_block[3] = {};
  sum_slopes(values.data() + taps.first * int64_t{kMaps}, row, row * grid.nj, taps, amounts,
             found.data(), by_block);
  for (size_t w = 0; w < 3; ++w) {
    slope[w] = 0;
    for (size_t axis = 0; axis < 3; ++axis) slope[w] += by_block[axis] * world_to_block[axis][w];
  }
  return true;
}

}  // namespace scintigen
