// SPDX-License-Identifier: Apache-2.0
#include "simulated_heads.h"

#include <cmath>

namespace scintigen {
namespace {

constexpr double kPoseMm = 5, kPoseDegrees = 5;
constexpr double kFieldMm[3] = {256, 256, 176};  // along the stored axes
constexpr double kNeckFieldMm = 80;
constexpr double kDegree = M_PI / 180;

}  // namespace

std::vector<HeadVariant> head_variants() {
  std::vector<HeadVariant> all(13);
  all[1].name = "nod +20", all[1].rotation_degrees = {20, 0, 0};
  all[2].name = "nod -20", all[2].rotation_degrees = {-20, 0, 0};
  all[3].name = "tilt 20", all[3].rotation_degrees = {0, 20, 0};
  all[4].name = "turn 20", all[4].rotation_degrees = {0, 0, 20};
  all[5].name = "voxels 2 mm", all[5].spacing_mm = {2, 2, 2};
  all[6].name = "voxels 1 x 1 x 3 mm", all[6].spacing_mm = {1, 1, 3};
  all[7].name = "noise x 3", all[7].noise = 0.075;
  all[8].name = "bias x 3", all[8].bias = 0.3;
  all[9].name = "offset", all[9].offset = 500;
  all[10].name = "neck", all[10].neck = true;
  all[11].name = "cut above", all[11].cut_top_mm = 75;
  all[12].name = "cut below", all[12].cut_bottom_mm = 95;
  return all;
}

TemplateHead with_neck(const TemplateHead& head, double length_mm) {
  TemplateHead longer = head;
  const auto planes = static_cast<int64_t>(std::lround(length_mm / head.grid.voxel_to_world[2][2]));
  const auto plane = head.grid.ni * head.grid.nj;
  longer.grid.nk += planes;
  longer.grid.voxel_to_world[2][3] -= double(planes) * head.grid.voxel_to_world[2][2];
  longer.voxel.assign(static_cast<size_t>(longer.grid.voxels()), {});
  longer.region.assign(static_cast<size_t>(longer.grid.voxels()), 0);
  for (int64_t v = 0; v < longer.grid.voxels(); ++v) {
    const int64_t above = v - planes * plane;
    const auto to = static_cast<size_t>(v);
    if (above >= 0) {
      longer.voxel[to] = head.voxel[static_cast<size_t>(above)];
      longer.region[to] = head.region[static_cast<size_t>(above)];
    } else {
      longer.voxel[to] = head.voxel[static_cast<size_t>(v % plane)];
    }
  }
  return longer;
}

T1Scan simulate_head(const TemplateHead& head, uint64_t seed, int64_t index,
                     const HeadVariant& variant) {
  const auto number = static_cast<uint64_t>(index);
  Random random(seed, "brain extraction", number);
  const double age = 20 + 60 * random.uniform();
  const bool female = random.uniform() < 0.5;
  const Person person = make_person(head, seed, index, age, female);
  Point rotation{}, shift{};
  for (double& angle : rotation) angle = kPoseDegrees * kDegree * random.normal();
  for (double& mm : shift) mm = kPoseMm * random.normal();
  for (size_t axis = 0; axis < 3; ++axis)
    rotation[axis] += variant.rotation_degrees[axis] * kDegree;
  T1Protocol protocol;
  protocol.noise = variant.noise, protocol.bias = variant.bias;

  const double below = variant.neck ? kNeckFieldMm : 0;
  const double height = kFieldMm[1] + below - variant.cut_top_mm - variant.cut_bottom_mm;
  const auto& mm = variant.spacing_mm;
  Grid grid = centred_grid(std::lround(kFieldMm[0] / mm[0]), std::lround(height / mm[1]),
                           std::lround(kFieldMm[2] / mm[2]), 1, {-2, -3, 1});
  const Point half = {double(grid.ni - 1) / 2, double(grid.nj - 1) / 2, double(grid.nk - 1) / 2};
  const double up = (variant.cut_bottom_mm - variant.cut_top_mm - below) / 2;
  grid.voxel_to_world = {{{0, 0, mm[2], -mm[2] * half[2]},
                          {-mm[0], 0, 0, mm[0] * half[0]},
                          {0, -mm[1], 0, mm[1] * half[1] + up},
                          {0, 0, 0, 1}}};
  auto scan = simulate_t1(head, person, grid, inverse(rigid_affine(rotation, shift)), protocol,
                          Random(seed, "scan", number));
  scan.image.voxels.add_(variant.offset);
  return scan;
}

}  // namespace scintigen
