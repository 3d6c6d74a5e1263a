// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <vector>

#include "core/connected_components.h"
#include "core/error.h"
#include "core/grid.h"
#include "core/mask_morphology.h"
#include "imaging/brain_judgement.h"

namespace scintigen {
namespace {

constexpr double kSmoothMm = 2.5;   // sigma: noise of a few counts
constexpr double kEdgePart = 0.45;  // from the mean below the edge to the mean above it
constexpr int kRounds = 100;
constexpr double kBridgeMm = 6;     // half the width of what joins scalp and glands to the brain
constexpr double kGapMm = 10;       // half the width of cold fissures that are closed
constexpr double kHotPart = 0.999;  // a few hot voxels (glands, noise) do not set the scale

/// Where the threshold is kEdgePart of the way from the mean below it to the mean above it (Ridler
/// and Calvard 1978, weighted): the highest such value, found from above, since noise and scalp
/// have fixed points of their own below.
float edge_value(const std::vector<float>& values) {
  std::vector<float> sorted;
  for (const float value : values)
    if (value > 0) sorted.push_back(value);
  if (sorted.empty()) return 0;
  const auto top = sorted.begin() + static_cast<int64_t>(kHotPart * double(sorted.size() - 1));
  std::nth_element(sorted.begin(), top, sorted.end());
  const float most = *top;
  double edge = most / 2;
  for (int round = 0; round < kRounds; ++round) {
    double above = 0, count = 0, below = 0;
    for (const float value : values)
      if (value > edge)
        above += std::min(value, most), ++count;
      else
        below += value;
    const double high = above / std::max(1.0, count),
                 low = below / std::max(1.0, double(values.size()) - count);
    const double next = low + kEdgePart * (high - low);
    if (std::abs(next - edge) < 1e-4 * double(most)) break;
    edge = next;
  }
  return static_cast<float>(edge);
}

/// `mask` grown by a ball and shrunk again; room is made around it, so that the border takes no
/// part.
torch::Tensor close_gaps(const torch::Tensor& mask, double radius,
                         const std::array<double, 3>& spacing) {
  int64_t room[3];
  for (size_t axis = 0; axis < 3; ++axis)
    room[axis] = static_cast<int64_t>(std::ceil(radius / spacing[axis]));
  const auto wide = torch::constant_pad_nd(mask.to(torch::kByte),
                                           {room[0], room[0], room[1], room[1], room[2], room[2]});
  auto closed = erode(dilate(wide, radius, spacing), radius, spacing);
  for (int64_t axis = 0; axis < 3; ++axis)
    closed = closed.narrow(axis, room[2 - axis], mask.size(axis));
  return closed.contiguous();
}

}  // namespace

BrainMask extract_brain_emission(const Volume& scan) {
  const char* const where = "brain extraction of an emission scan";
  require(scan.voxels.defined() && scan.voxels.dim() == 3 &&
              scan.voxels.scalar_type() == torch::kFloat && scan.voxels.numel() > 0,
          "{}: expected a float32 volume [D,H,W]", where);
  require(scan.voxels.isfinite().all().item<bool>(),
          "{}: voxels that are not finite; replace them first", where);
  require(std::abs(determinant(scan.voxel_to_world)) > 1e-9,
          "{}: its axes do not span a volume; correct the header", where);
  const Grid grid = grid_of(scan);
  const auto spacing = spacing_mm(scan.voxel_to_world);
  auto smooth = scan.voxels.clamp_min(0).contiguous().clone();
  require(smooth.max().item<float>() > 0, "{}: nothing above 0; expected counts", where);
  std::array<double, 3> sigma{};
  for (size_t axis = 0; axis < 3; ++axis) sigma[axis] = std::min(kSmoothMm / spacing[axis], 50.0);
  gaussian_blur(smooth.data_ptr<float>(), grid.ni, grid.nj, grid.nk, sigma);

  const float* const voxels = smooth.data_ptr<float>();
  const float edge = edge_value({voxels, voxels + smooth.numel()});
  const auto bright = smooth.gt(edge);
  // What is joined by thin bridges falls off; what remains grows back within the bright voxels.
  const auto core = largest_component(erode(bright, kBridgeMm, spacing), Neighbours::kFaces6);
  const auto brain = dilate(core, kBridgeMm * 1.2, spacing).logical_and(bright);
  BrainMask result;
  result.method = "threshold";
  result.mask = scan;
  result.mask.unit = "1";
  result.mask.voxels = fill_holes(close_gaps(brain, kGapMm, spacing)).to(torch::kFloat);
  judge_size(result);
  return result;
}

}  // namespace scintigen
