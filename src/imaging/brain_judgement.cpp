// SPDX-License-Identifier: Apache-2.0
#include "imaging/brain_judgement.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace scintigen {
namespace {

constexpr double kMostBorderMm2 = 400;
constexpr double kBorderMm = 4;     // a smooth surface keeps a little off the border that cuts it
constexpr double kShellMm = 3;      // inside and outside the surface
constexpr double kLeastStep = 0.2;  // of the brightness inside; 0.35 to 0.5 in good heads
constexpr double kMostCutPart = 2e-3;

}  // namespace

double volume_ml(const torch::Tensor& mask, const Affine& voxel_to_world) {
  return double(mask.count_nonzero().item<int64_t>()) * std::abs(determinant(voxel_to_world)) /
         1000;
}

void doubt(BrainMask& mask, const std::string& why) {
  if (!mask.doubtful) mask.why = why;
  mask.doubtful = true;
}

void judge_size(BrainMask& mask) {
  const auto& voxels = mask.mask.voxels;
  mask.volume_ml = volume_ml(voxels, mask.mask.voxel_to_world);
  if (mask.volume_ml < kLeastBrainMl || mask.volume_ml > kMostBrainMl)
    doubt(mask, fmt::format("a brain of {:.0f} ml; expected {:.0f} to {:.0f}", mask.volume_ml,
                            kLeastBrainMl, kMostBrainMl));
  const auto spacing = spacing_mm(mask.mask.voxel_to_world);
  double most = 0;
  for (int64_t axis = 0; axis < 3; ++axis) {  // of [k,j,i]
    const double face = spacing[0] * spacing[1] * spacing[2] / spacing[size_t(2 - axis)];
    const auto depth = std::min(voxels.size(axis) - 1,
                                static_cast<int64_t>(kBorderMm / spacing[size_t(2 - axis)]));
    for (const int64_t at : {depth, voxels.size(axis) - 1 - depth})
      most = std::max(most, face * double(voxels.select(axis, at).count_nonzero().item<int64_t>()));
  }
  if (most > kMostBorderMm2)
    doubt(mask, fmt::format("the volume's border cuts the brain ({:.0f} mm2 of it)", most));
}

void judge_surface(BrainMask& mask, const BrainSurface& found, const HeadImage& head) {
  if (found.cut_part > kMostCutPart)
    doubt(mask,
          fmt::format("the surface cuts itself ({:.2g} % of its volume)", 100 * found.cut_part));
  const auto normals = found.surface.normals();
  double inner = 0, outer = 0;
  for (size_t v = 0; v < normals.size(); ++v)
    for (double depth = 1; depth <= kShellMm; ++depth) {
      Point in = found.surface.vertices[v], out = in;
      for (size_t axis = 0; axis < 3; ++axis)
        in[axis] -= depth * normals[v][axis], out[axis] += depth * normals[v][axis];
      inner += head.at(in) - head.low, outer += head.at(out) - head.low;
    }
  const double step = inner > 0 ? (inner - outer) / inner : 0;
  if (step < kLeastStep)
    doubt(mask,
          fmt::format("hardly darker outside the surface than inside (by {:.0f} %)", 100 * step));
}

}  // namespace scintigen
