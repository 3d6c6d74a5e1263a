// SPDX-License-Identifier: Apache-2.0
#include "core/axial_view.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"
#include "core/orientation.h"

namespace scintigen {
namespace {

constexpr double kDegrees = 57.29577951308232;

}  // namespace

AxialView axial_view(const Affine& voxel_to_world, const std::string& where) {
  const auto length = spacing_mm(voxel_to_world);
  // cosine[w][v]: of voxel axis v with patient axis w (right, anterior, superior)
  std::array<std::array<double, 3>, 3> cosine;
  for (size_t w = 0; w < 3; ++w) {
    for (size_t v = 0; v < 3; ++v) cosine[w][v] = voxel_to_world[w][v] / length[v];
  }
  const auto best = nearest_patient_axes(voxel_to_world);
  static const std::array<const char*, 3> stored = {"sagittal", "coronal", "axial"};
  require(best[2] == 2,
          "{}: slices are {} (the third voxel axis runs {}); expected axial; reorient the volume "
          "first",
          where, stored[best[2]], best[2] == 0 ? "left-right" : "anterior-posterior");
  AxialView view;
  view.transpose = best[0] == 1;
  const size_t left_right = view.transpose ? 1 : 0, front_back = 1 - left_right;
  view.flip_rows = cosine[1][front_back] > 0;     // the index rises to the front
  view.flip_columns = cosine[0][left_right] > 0;  // the index rises to the right
  view.towards_feet = cosine[2][2] > 0 ? -1 : 1;
  view.row_mm = length[front_back];
  view.column_mm = length[left_right];
  for (size_t v = 0; v < 3; ++v) {
    const double angle = std::acos(std::min(1.0, std::abs(cosine[best[v]][v]))) * kDegrees;
    view.tilt_deg = std::max(view.tilt_deg, angle);
  }
  return view;
}

torch::Tensor oriented(const torch::Tensor& plane, const AxialView& view) {
  auto turned = view.transpose ? plane.t() : plane;
  if (view.flip_rows) turned = turned.flip(0);
  if (view.flip_columns) turned = turned.flip(1);
  return turned.contiguous();
}

torch::Tensor axial_slice(const Volume& volume, const AxialView& view, int64_t index) {
  return oriented(volume.voxels[index], view);
}

}  // namespace scintigen
