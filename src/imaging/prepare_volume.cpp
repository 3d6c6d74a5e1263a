// SPDX-License-Identifier: Apache-2.0
#include "imaging/prepare_volume.h"

#include <ATen/ATen.h>

#include <cmath>

#include "core/affine.h"
#include "core/error.h"
#include "core/nifti.h"
#include "core/resample.h"
#include "imaging/prepare_grid.h"

namespace scintigen {
namespace {

constexpr const char* kDescription = "prepared by scintigen";
constexpr double kLeastPart = 0.95;  // of the brain that a grid must hold; coarse voxels round

/// A grid that the brain does not fit into would be a wrong picture without a word.
void require_room(const Volume& mask, const Volume& source, const std::string& name) {
  const auto volume_ml = [](const Volume& of) {
    return static_cast<double>((of.voxels > 0).sum().item<int64_t>()) *
           std::abs(determinant(of.voxel_to_world)) / 1000;
  };
  const double before = volume_ml(source), after = volume_ml(mask);
  require(after >= kLeastPart * before,
          "{}: {:.0f} of {:.0f} ml of the brain mask lie outside {}; give a larger --matrix or "
          "--grid, or see "
          "whether the registration is right",
          name, before - after, before, describe_grid(grid_of(mask)));
}

/// Mean of the unscaled volume in the reference region of --suvr-region.
double reference_mean(const Volume& volume, const Volume& mask, const PreparedScan& scan,
                      const PrepareSettings& settings, const PrepareTemplate& brain_template) {
  const auto where = scan.name + ": --suvr-region " + settings.suvr_region;
  if (brain_template.suvr_labels.empty()) {
    require(mask.voxels.defined(), "{}: needs a brain mask; not --brain none", where);
    return mean_inside(volume, mask, where);
  }
  const auto labels = resample(brain_template.regions, grid_of(volume), scan.space_to_template,
                               Interpolation::kNearest);
  auto region = labels;
  region.voxels = torch::zeros_like(labels.voxels);
  for (const int64_t label : brain_template.suvr_labels)
    region.voxels += (labels.voxels == static_cast<double>(label)).to(torch::kFloat);
  if (mask.voxels.defined()) region.voxels *= (mask.voxels > 0);
  return mean_inside(volume, region, where);
}

void write_slice_scaling(const std::filesystem::path& file, const ScalingRecord& undo) {
  Table table{file.filename().string(), {"slice", "slope", "intercept"}, {}};
  for (size_t k = 0; k < undo.slope_intercept.size(); ++k)
    table.add_row({std::to_string(k), number_text(undo.slope_intercept[k][0]),
                   number_text(undo.slope_intercept[k][1])});
  write_table(file, table);
}

}  // namespace

Scaling scaling_for(const std::string& modality, const PrepareSettings& settings) {
  const auto scalings = parse_scaling(settings.scaling);
  const auto named = scalings.find(modality);
  return named != scalings.end() ? named->second : scalings.at("");
}

PatientRecord write_prepared(const PreparedScan& scan, const TargetSpace& space,
                             const std::string& participant_id, const PrepareSettings& settings,
                             const PrepareTemplate& brain_template) {
  const auto folder = std::filesystem::path(settings.out) / space.name;
  const std::filesystem::path person(participant_id);
  const int form_code = space.name == "template" ? 4 : 2;  // MNI, aligned
  std::vector<std::string> steps;
  auto volume =
      onto_grid(*scan.volume, space.grid, scan.space_to_scan, settings.interpolation, steps);
  PatientRecord made = {{"space", space.name},
                        {"file", (person / (scan.name + ".nii")).generic_string()},
                        {"mask_file", ""},
                        {"grid", describe_grid(space.grid)}};
  Volume mask;
  if (scan.mask) {
    mask = resample(*scan.mask, space.grid, scan.space_to_mask, Interpolation::kNearest);
    if (space.name != "template" || !settings.grid.empty())
      require_room(mask, *scan.mask, scan.name);
    const auto mask_file = person / (scan.mask_name + ".nii");
    write_nifti(folder / mask_file, mask, kDescription, form_code, NiftiNumber::kUint8);
    made["mask_file"] = mask_file.generic_string();
    if (!settings.keep_head) {
      volume.voxels *= (mask.voxels > 0);
      steps.push_back("0 outside the brain mask");
    }
  }
  const auto scaling = scaling_for(scan.modality, settings);
  const double mean =
      scaling == Scaling::kSuvr ? reference_mean(volume, mask, scan, settings, brain_template) : 0;
  const auto undo = scale_volume(volume, scaling, scan.mask ? &mask : nullptr, mean, scan.name);
  write_nifti(folder / person / (scan.name + ".nii"), volume, kDescription, form_code);
  made["scaling"] = scaling_name(scaling);
  if (scaling == Scaling::kSlice) {
    const auto file = person / (scan.name + "_scaling.tsv");
    write_slice_scaling(folder / file, undo);
    made["scaling_file"] = file.generic_string();
  } else {
    made["slope"] = undo.slope_intercept[0][0];
    made["intercept"] = undo.slope_intercept[0][1];
  }
  made["steps"] = steps;
  return made;
}

}  // namespace scintigen
