// SPDX-License-Identifier: Apache-2.0
// A template's brain in another head.
#include "imaging/brain_atlas.h"

#include <ATen/Parallel.h>

#include <cmath>

#include "core/connected_components.h"
#include "core/error.h"
#include "core/mask_morphology.h"
#include "core/same_grid.h"
#include "core/volume_io.h"
#include "imaging/brain_judgement.h"

namespace scintigen {
namespace {

constexpr double kTongueMm = 2, kGapMm = 4;
constexpr double kShellNearMm = 6, kShellFarMm = 16;
constexpr double kLeastShell = 0.15;  // of the brain's brightness: scalp and skull are there

torch::Tensor brain_without_specks(const Volume& brain) {
  const auto spacing = spacing_mm(brain.voxel_to_world);
  const auto firm =
      dilate(largest_component(erode(brain.voxels.gt(0), kTongueMm, spacing), Neighbours::kFaces6),
             kTongueMm, spacing);
  return fill_holes(erode(dilate(firm, kGapMm, spacing), kGapMm, spacing));
}

}  // namespace

BrainTemplate load_brain_template(const std::filesystem::path& head,
                                  const std::filesystem::path& brain) {
  BrainTemplate result{read_volume(head), read_volume(brain)};
  const std::string head_name = head.string(), brain_name = brain.string();
  require_same_grid(result.mask, brain_name, result.head, head_name);
  for (const auto& [volume, name] :
       {std::pair{&result.head, &head_name}, {&result.mask, &brain_name}})
    require(volume->voxels.isfinite().all().item<bool>(), "{}: voxels that are not finite", *name);
  const auto above = result.mask.voxels.gt(0);
  require(above.any().item<bool>(), "{}: no voxel above 0; expected a brain, and 0 elsewhere",
          brain_name);
  require(!above.all().item<bool>(),
          "{}: every voxel is above 0; expected a brain without skull, and 0 elsewhere",
          brain_name);
  result.mask.voxels = brain_without_specks(result.mask).to(torch::kFloat);
  result.mask.unit = "1";
  const double ml = volume_ml(result.mask.voxels, result.mask.voxel_to_world);
  require(ml >= kLeastBrainMl && ml <= kMostBrainMl,
          "{}: {:.0f} ml above 0; expected a brain of {:.0f} to {:.0f} ml, and 0 elsewhere",
          brain_name, ml, kLeastBrainMl, kMostBrainMl);
  const auto distance =
      signed_distance_mm(result.mask.voxels, spacing_mm(result.mask.voxel_to_world));
  const auto low = result.head.voxels.min();
  const auto shell = distance.gt(kShellNearMm).logical_and(distance.lt(kShellFarMm));
  const double around = (result.head.voxels.masked_select(shell).mean() - low).item<double>();
  const double within =
      (result.head.voxels.masked_select(distance.lt(0)).mean() - low).item<double>();
  require(
      within > 0 && around > kLeastShell * within,
      "{}: dark around the brain of {}; expected a head with skull and scalp (are the two files "
      "exchanged?)",
      head_name, brain_name);
  return result;
}

CubeField guide_of(const BrainTemplate& brain_template, const Affine& scan_to_template,
                   const Grid& grid) {
  const auto distance = signed_distance_mm(brain_template.mask.voxels,
                                           spacing_mm(brain_template.mask.voxel_to_world));
  // Millimetres of the scan: the template may be larger or smaller than the head.
  const auto scale = static_cast<float>(1 / std::cbrt(std::abs(determinant(scan_to_template))));
  const Grid from = grid_of(brain_template.mask);
  const Affine to_voxel =
      compose(inverse(from.voxel_to_world), compose(scan_to_template, grid.voxel_to_world));
  CubeField guide;
  guide.grid = grid;
  guide.outside = static_cast<float>(kFarMm);
  guide.voxels.resize(static_cast<size_t>(grid.voxels()));
  const float* const source = distance.data_ptr<float>();
  at::parallel_for(0, grid.nk, 1, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k)
      for (int64_t j = 0; j < grid.nj; ++j)
        for (int64_t i = 0; i < grid.ni; ++i)
          guide.voxels[static_cast<size_t>(i + grid.ni * (j + grid.nj * k))] =
              scale * read_linear(source, from,
                                  transform_point(to_voxel, {double(i), double(j), double(k)}),
                                  guide.outside);
  });
  return guide;
}

}  // namespace scintigen
