// SPDX-License-Identifier: Apache-2.0
#include "cli/siscom_output.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "cli/cluster_report.h"
#include "core/atomic_file.h"
#include "core/error.h"
#include "core/grid.h"
#include "core/nifti.h"
#include "core/overlay_picture.h"
#include "core/progress.h"
#include "core/resample.h"
#include "core/transform_file.h"
#include "imaging/export.h"
#include "imaging/prepare_grid.h"
#include "imaging/registration_doubt.h"

namespace scintigen {
namespace {

using Json = nlohmann::ordered_json;
constexpr double kDisplay_mm = 1;
constexpr std::array<int64_t, 3> kDisplayMatrix = {176, 216, 184};

bool is_synthetic(const SiscomMaps& maps) { return maps.name != "interictal"; }

/// Ends of file names: nothing for the first subtraction, "_synthetic" for the second.
std::string suffix(const SiscomResult& result, const SiscomMaps& maps) {
  return result.made.size() == 2 && is_synthetic(maps) ? "_synthetic" : "";
}

void write_map(const std::filesystem::path& file, const Volume& map, bool synthetic) {
  write_nifti(file, map,
              synthetic ? "SYNTHETIC interictal scan: derived by scintigen" : "scintigen siscom");
}

void write_maps(const std::filesystem::path& out, const SiscomResult& result) {
  for (const auto& made : result.made) {
    const bool synthetic = is_synthetic(made);
    const auto end = suffix(result, made) + ".nii.gz";
    write_map(out / ("space-mri_difference" + end), made.mri.difference, synthetic);
    write_map(out / ("space-mri_z" + end), made.mri.z, synthetic);
    write_map(out / ("space-ictal_difference" + end), made.ictal_difference, synthetic);
    write_map(out / ("space-ictal_z" + end), made.ictal_z, synthetic);
    write_table(out / ("clusters" + suffix(result, made) + ".tsv"),
                cluster_table({&made.mri.above, &made.mri.below}));
    if (!made.normal) continue;
    write_map(out / ("space-mri_normal_t" + end), made.normal->z, synthetic);
    write_table(out / ("normal_clusters" + suffix(result, made) + ".tsv"),
                cluster_table({&made.normal->above, &made.normal->below}));
  }
  write_nifti(out / "space-mri_brain_mask.nii.gz", result.brain, "scintigen siscom", 1,
              NiftiNumber::kUint8);
}

void write_transforms(const std::filesystem::path& out, const SiscomResult& result) {
  for (const auto& map : result.maps) {
    if (!map.registration) continue;
    std::string name = map.name;
    std::replace(name.begin(), name.end(), ' ', '_');
    const auto to = map.name.rfind(" to ");
    const auto moving = map.name.substr(0, to), fixed = map.name.substr(to + 4);
    // "MRI to template": the template is fixed, as in prepare.
    write_itk_transform(out / "transforms" / (name + ".tfm"), map.registration->fixed_to_moving);
    write_matrix(out / "transforms" / (name + ".txt"), map.registration->fixed_to_moving, fixed,
                 moving);
  }
}

/// The z map beside the ictal series.
void write_dicom(const SiscomSettings& settings, const SiscomResult& result) {
  const std::filesystem::path out(settings.out);
  for (const auto& made : result.made) {
    const auto end = suffix(result, made);
    const auto folder = out / ("dicom_z" + end);
    std::error_code error;
    std::filesystem::remove_all(folder, error);  // of a former run into the same folder
    ExportSettings exported;
    exported.volume = (out / ("space-ictal_z" + end + ".nii.gz")).string();
    exported.out = folder.string();
    exported.format = "dicom";
    exported.like = settings.ictal;
    exported.unit = "1";
    exported.synthetic = is_synthetic(made);
    std::vector<std::string> notes;
    export_volume(exported, notes);
    for (const auto& note : notes) warn(note);
  }
}

double highest_score(const Maps& maps, double threshold) {
  const double most = maps.z.voxels.abs().max().item<double>();
  return std::max(threshold + 1, std::min(std::ceil(most), 4 * threshold));
}

std::vector<ResultPicture> draw_pictures(const SiscomSettings& settings,
                                         const SiscomResult& result) {
  const std::filesystem::path out(settings.out);
  const auto grid = grid_around(
      result.mri,
      resample(result.brain, grid_of(result.mri), identity_affine(), Interpolation::kNearest),
      kDisplayMatrix, kDisplay_mm);
  Overlay overlay;
  overlay.anatomy = resample(result.mri, grid, identity_affine(), Interpolation::kLinear);
  overlay.threshold = settings.threshold;
  std::vector<ResultPicture> pictures;
  for (const auto& made : result.made) {
    overlay.scores = resample(made.mri.z, grid, identity_affine(), Interpolation::kLinear);
    overlay.highest = highest_score(made.mri, settings.threshold);
    std::vector<std::pair<const Clusters*, size_t>> shown;
    for (size_t r = 0; r < made.mri.above.found.size(); ++r) shown.push_back({&made.mri.above, r});
    if (static_cast<int64_t>(shown.size()) > settings.pictures)
      shown.resize(static_cast<size_t>(settings.pictures));
    if (!made.mri.below.found.empty() && settings.pictures > 0)
      shown.push_back({&made.mri.below, 0});
    for (const auto& [clusters, r] : shown) {
      const auto& one = clusters->found[r];
      const bool above = clusters->rule.direction == Direction::kAbove;
      const auto words = cluster_title(one);
      pictures.push_back(cluster_picture(
          overlay, one, fmt::format("{} {}: {}", above ? "increase" : "decrease", one.label, words),
          out / fmt::format("overlay_{}_{}{}.png", above ? "above" : "below", one.label,
                            suffix(result, made)),
          "Axial, coronal and sagittal plane of the MRI through the peak, z in colour",
          fmt::format("{} {} ({} scan): {}. z of {} or more in red to yellow, {} or less in blue; "
                      "the patient's right is on the left.",
                      above ? "Increase" : "Decrease", one.label, made.name, words,
                      settings.threshold, -settings.threshold)));
    }
  }
  return pictures;
}

Json json_of(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

Json json_of(const SiscomMaps& made) {
  const auto& s = made.subtraction;
  return {{"interictal", made.name},
          {"ictal_mean_counts", s.factors.ictal_mean},
          {"interictal_factor", s.factors.interictal_factor},
          {"difference_mean_percent", s.mean},
          {"difference_sd_percent", s.sd},
          {"clusters_above", made.mri.above.found.size()},
          {"clusters_below", made.mri.below.found.size()}};
}

}  // namespace

Json siscom_figures(const SiscomResult& result) {
  Json figures = {{"brain_ml", result.brain_ml}};
  auto& maps = figures["registrations"] = Json::array();
  for (const auto& map : result.maps) {
    Json one = map.registration ? registration_record(*map.registration) : Json::object();
    one["name"] = map.name;
    maps.push_back(one);
  }
  figures["warnings"] = result.warnings;
  figures["notes"] = result.notes;
  if (!result.left_out.empty()) figures["left_out"] = result.left_out;
  auto& made = figures["subtractions"] = Json::array();
  for (const auto& one : result.made) made.push_back(json_of(one));
  if (result.agreement) {
    const auto& a = *result.agreement;
    figures["agreement"] = {{"z_correlation", a.correlation},
                            {"dice_above", json_of(a.dice_above)},
                            {"dice_below", json_of(a.dice_below)},
                            {"top_peaks_apart_mm", json_of(a.peaks_apart_mm)},
                            {"top_centres_apart_mm", json_of(a.centres_apart_mm)},
                            {"top_clusters_dice", json_of(a.top_overlap)}};
  }
  return figures;
}

void write_siscom(SiscomSettings& settings, const SiscomResult& result) {
  const std::filesystem::path out(settings.out);
  std::filesystem::create_directories(out / "transforms");
  write_transforms(out, result);
  write_file(out / "siscom.json", siscom_figures(result).dump(2) + "\n");
  std::vector<ResultPicture> pictures;
  if (result.left_out.empty()) {
    write_maps(out, result);
    if (settings.dicom) write_dicom(settings, result);
    pictures = draw_pictures(settings, result);
  }
  write_file(out / "report.html", result_page(siscom_page(settings, result, pictures)));
}

}  // namespace scintigen
