// SPDX-License-Identifier: Apache-2.0
#include "detection/control_uptake.h"

#include <algorithm>

#include "cohort/modality.h"
#include "cohort/surroundings.h"
#include "core/error.h"
#include "core/safetensors.h"
#include "detection/simple_detectors.h"

namespace scintigen {

std::optional<size_t> tracer_modality(const std::vector<std::string>& modalities) {
  const auto found = std::find_if(modalities.begin(), modalities.end(), is_emission);
  if (found == modalities.end()) return {};
  return static_cast<size_t>(found - modalities.begin());
}

torch::Tensor smoothed_uptake(const torch::Tensor& image, const torch::Tensor& mask,
                              const Grid& grid, double smooth_mm) {
  return relative_uptake(image, mask, fwhm_in_voxels(smooth_mm, grid.voxel_to_world));
}

torch::Tensor ControlUptake::of(const ScaledScans& person, const torch::Tensor& mask,
                                const torch::Tensor& brain, const Grid& grid) const {
  if (!modality) return {};
  const auto inside = brain.defined() ? mask & brain : mask;
  return against_normal(smoothed_uptake(in_units(person, *modality), inside, grid), normal)
      .masked_fill_(inside.logical_not(), 0);
}

ControlUptake control_uptake(const PatchPeople& controls,
                             const std::vector<std::string>& modalities) {
  ControlUptake uptake;
  uptake.modality = tracer_modality(modalities);
  if (!uptake.modality) return uptake;
  NormalImages images;
  require(controls.scans.size() >= 3, "controls' uptake: {} controls; expected at least 3",
          controls.scans.size());
  for (size_t p = 0; p < controls.scans.size(); ++p) {
    try {
      images.add(smoothed_uptake(in_units(controls.scans[p], *uptake.modality), controls.mask,
                                 controls.grid));
    } catch (const Error& error) {
      throw Error("{}: {}", controls.participants[p], error.what());
    }
  }
  uptake.normal = images.normal();
  for (auto* map : {&uptake.normal.mean, &uptake.normal.sd}) *map = map->to(torch::kFloat);
  return uptake;
}

void write_control_uptake(const std::filesystem::path& path, const ControlUptake& uptake,
                          const std::string& key) {
  if (uptake.modality)
    write_tensors(path, {{"mean", uptake.normal.mean}, {"sd", uptake.normal.sd}}, {{"key", key}});
}

ControlUptake read_control_uptake(const std::filesystem::path& path,
                                  const std::vector<std::string>& modalities,
                                  const std::string& key, const Grid& grid, int64_t controls) {
  ControlUptake uptake;
  uptake.modality = tracer_modality(modalities);
  if (!uptake.modality) return uptake;
  require(std::filesystem::exists(path), "{}: is missing; fit again into an empty folder",
          path.string());
  const auto file = read_tensors(path);
  const auto found = file.metadata.find("key");
  require(found != file.metadata.end() && found->second == key,
          "{}: belongs to another detector; fit again into an empty folder", path.string());
  uptake.normal = {file.at("sd"), file.at("mean"), controls};
  for (const auto* map : {&uptake.normal.mean, &uptake.normal.sd})
    require(map->scalar_type() == torch::kFloat &&
                map->sizes() == torch::IntArrayRef({grid.nk, grid.nj, grid.ni}),
            "{}: is not of the detector's grid; fit again into an empty folder", path.string());
  return uptake;
}

}  // namespace scintigen
