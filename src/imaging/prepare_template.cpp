// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "core/affine.h"
#include "core/error.h"
#include "core/label_image.h"
#include "core/mask_morphology.h"
#include "core/orientation.h"
#include "core/resample.h"
#include "core/volume_io.h"
#include "imaging/prepare_grid.h"
#include "imaging/prepare_patient.h"
#include "imaging/scaling.h"

namespace scintigen {
namespace {

constexpr double kAroundBrain_mm = 4;  // better than the head or the brain alone (docs/results.md)

/// Template space is the box of template_grid(), marked as MNI: the brain must lie in it.
void require_mni(const Volume& mask, const std::string& file) {
  const auto grid = template_grid(1);
  const auto inside = resample(mask, grid, identity_affine(), Interpolation::kNearest);
  const auto count = [](const Volume& of) {
    return static_cast<double>((of.voxels > 0).sum().item<int64_t>()) *
           std::abs(determinant(of.voxel_to_world));
  };
  require(
      count(inside) > 0.95 * count(mask),
      "--template-brain {}: the brain lies outside x -78..78, y -112..76, z -70..85 mm; expected "
      "a template in MNI space",
      file);
}

bool wants_region(const PrepareSettings& settings) {
  const auto scalings = parse_scaling(settings.scaling);
  return std::any_of(scalings.begin(), scalings.end(),
                     [](const auto& s) { return s.second == Scaling::kSuvr; });
}

bool wants_template(const PrepareSettings& settings) {
  return settings.brain == "auto" || settings.brain == "atlas" || wants_region(settings) ||
         settings.space != std::vector<std::string>{"native"};
}

/// Numbers of the regions whose names begin with `prefix`.
std::vector<int64_t> labels_named(const std::string& file, const std::string& prefix) {
  std::vector<int64_t> labels;
  std::vector<std::string> names;
  for (const auto& [label, name] : read_label_names(file)) {
    names.push_back(name);
    if (name.rfind(prefix, 0) == 0) labels.push_back(label);
  }
  const auto near = labels.empty() ? nearest_word(prefix, names) : std::nullopt;
  require(!labels.empty(), "--suvr-region {}: no region of {} begins so{}", prefix, file,
          near ? "; did you mean " + *near + "?" : "");
  return labels;
}

}  // namespace

PrepareTemplate read_prepare_template(const PrepareSettings& settings) {
  PrepareTemplate read;
  if (!settings.grid.empty()) read.grid = output_grid(settings.grid);
  if (!wants_template(settings)) return read;
  std::error_code error;
  for (const auto& [flag, file] : {std::pair{"--template-head", settings.template_head},
                                   {"--template-brain", settings.template_brain}})
    require(std::filesystem::is_regular_file(file, error),
            "{} {}: not there; install Debian's mricron-data (Colin 27), name another template, or "
            "do without: --space native --brain surface",
            flag, file);
  read.brain = load_brain_template(settings.template_head, settings.template_brain);
  require_mni(read.brain->mask, settings.template_brain);
  read.around_brain = read.brain->mask;
  read.around_brain.voxels = dilate(read.brain->mask.voxels > 0, kAroundBrain_mm,
                                    spacing_mm(read.brain->mask.voxel_to_world))
                                 .to(torch::kFloat);
  if (wants_region(settings) && settings.suvr_region != "brain") {
    read.regions = canonical_orientation(read_volume(settings.template_labels));
    read.suvr_labels = labels_named(settings.template_names, settings.suvr_region);
  }
  return read;
}

}  // namespace scintigen
