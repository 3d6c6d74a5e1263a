// SPDX-License-Identifier: Apache-2.0
#include "simulate/person_files.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/atomic_file.h"
#include "core/nifti.h"
#include "core/run_record.h"
#include "core/table.h"
#include "simulate/slice_truth.h"

namespace scintigen {
namespace {

using Json = nlohmann::ordered_json;
constexpr double kCortexBqPerMl = 22000;  // FDG an hour after 200 MBq
constexpr double kDoseSd = 0.2;
constexpr double kSliceJitterMm = 2;  // levels are chosen by eye
constexpr float kMaskChange = 0.05F;

Json json_of(const Affine& affine) {
  Json rows = Json::array();
  for (const auto& row : affine) rows.push_back({row[0], row[1], row[2], row[3]});
  return rows;
}

std::string side_name(Side side) {
  return side == Side::kLeft ? "left" : side == Side::kRight ? "right" : "middle";
}

Json json_of(const Lesion& lesion) {
  Json json = {{"name", lesion.name},
               {"side", side_name(lesion.side)},
               {"change_percent", std::round(1000 * lesion.change) / 10}};
  if (lesion.kind == Lesion::Kind::kDiaschisis) return json;
  json["centre_template_mm"] = lesion.centre;
  json["radius_mm"] = std::round(10 * lesion.radius_mm) / 10;
  return json;
}

/// Mean over blocks of 2 x 2 x 2 (the activity's grid is twice as fine as a SPECT image) or as is.
Volume on_image_grid(const std::vector<float>& fine, const Volume& image, int64_t factor) {
  const auto sides = image.voxels.sizes();
  const auto whole =
      torch::from_blob(const_cast<float*>(fine.data()),
                       {sides[0], factor, sides[1], factor, sides[2], factor}, torch::kFloat);
  Volume volume = image;
  volume.voxels = whole.mean({1, 3, 5}).contiguous();
  return volume;
}

class Writer {
 public:
  Writer(const std::filesystem::path& folder, const TemplateHead& head,
         const SimulateSettings& settings, const PersonPlan& plan)
      : folder_(folder),
        head_(head),
        settings_(settings),
        plan_(plan),
        seed_(static_cast<uint64_t>(settings.seed)),
        person_(make_person(head, seed_, plan.index, plan.age_years, plan.female)) {}

  void write(const std::function<void()>& between);

 private:
  Json write_scan(const ScanPlan& scan, size_t number);
  Json write_t1(const ScanPlan& scan, Random random);
  Json write_spect(const ScanPlan& scan, Random random);
  Json write_pet(const ScanPlan& scan, Random random);
  void take_maps(const Grid& grid, const ScanPlan& scan);
  Json write_functional(const ScanPlan& scan, const Volume& image, const Volume& activity,
                        int64_t factor, const std::string& stem, Json sidecar);
  std::vector<SliceTruth> slices_of(const ScanPlan& scan, const Volume& image,
                                    const std::vector<float>& change, int64_t factor) const;
  void write_volume(const std::string& name, const Volume& volume, NiftiNumber number) const {
    write_nifti(folder_ / name, volume,
                fmt::format("SYNTHETIC: simulated by scintigen {}; not a patient", kVersion), 1,
                number);
  }
  void write_sidecar(const std::string& stem, const Json& json) const {
    write_file(folder_ / (stem + ".json"), json.dump(2) + "\n");
  }
  std::string truth(const std::string& stem) const { return "derivatives/truth/" + stem; }
  const Metabolism& metabolism(Tracer tracer);

  const std::filesystem::path folder_;
  const TemplateHead& head_;
  const SimulateSettings& settings_;
  const PersonPlan& plan_;
  const uint64_t seed_;
  const Person person_;
  std::optional<HeadMaps> maps_;  // of the scan before: stress has the maps of rest
  Affine maps_pose_{};
  std::optional<Metabolism> metabolism_;
  Tracer metabolism_tracer_ = Tracer::kImp;
};

const Metabolism& Writer::metabolism(Tracer tracer) {
  if (!metabolism_ || metabolism_tracer_ != tracer)
    metabolism_ = make_metabolism(head_, person_, tracer, seed_, plan_.index);
  metabolism_tracer_ = tracer;
  return *metabolism_;
}

void Writer::take_maps(const Grid& grid, const ScanPlan& scan) {
  if (maps_ && maps_->grid == grid && maps_pose_ == scan.world_from_person) return;
  maps_.reset();
  maps_ = sample_head(head_, person_, grid, inverse(scan.world_from_person));
  maps_pose_ = scan.world_from_person;
}

std::vector<SliceTruth> Writer::slices_of(const ScanPlan& scan, const Volume& image,
                                          const std::vector<float>& change, int64_t factor) const {
  std::vector<SliceTruth> rows;
  // The same draw for rest and stress: the reader takes the same slices of both.
  Random random(seed_, "levels", static_cast<uint64_t>(plan_.index));
  const Affine to_voxel = inverse(image.voxel_to_world);
  const int64_t n = settings_.slices_per_level, count = image.voxels.size(0);
  for (const auto& level : levels()) {
    const double z = level.z + kSliceJitterMm * random.normal();
    const Point place = transform_point(
        to_voxel, transform_point(scan.world_from_person, person_.from_template({0, -20, z})));
    for (int64_t s = 0; s < n; ++s) {
      const int64_t slice = std::lround(place[2]) - n / 2 + s;
      if (slice < 0 || slice >= count) continue;
      SliceTruth row =
          judge_slice(head_, *maps_, change, factor * slice, factor * slice + factor - 1);
      row.slice = slice;
      row.level = level.name;
      rows.push_back(row);
    }
  }
  return rows;
}

Json Writer::write_functional(const ScanPlan& scan, const Volume& image, const Volume& activity,
                              int64_t factor, const std::string& stem, Json sidecar) {
  const auto change = change_map(head_, *maps_, scan.lesions, scan.reserve);
  write_volume(stem + ".nii.gz", image, NiftiNumber::kFloat32);
  sidecar["Synthetic"] = true;
  sidecar["Description"] = "Simulated by scintigen; the person never lived";
  write_sidecar(stem, sidecar);
  const std::vector<float> fine(activity.voxels.data_ptr<float>(),
                                activity.voxels.data_ptr<float>() + activity.voxels.numel());
  Volume planted = on_image_grid(fine, image, factor);
  planted.unit = activity.unit;
  const auto cut = stem.rfind('_');
  const auto begin = truth(stem.substr(0, cut)), end = stem.substr(cut);
  write_volume(begin + "_desc-activity" + end + ".nii.gz", planted, NiftiNumber::kInt16);
  if (!scan.lesions.empty()) {
    std::vector<float> affected(change.size());
    for (size_t v = 0; v < change.size(); ++v) affected[v] = std::abs(change[v]) >= kMaskChange;
    Volume mask = on_image_grid(affected, image, factor);
    mask.voxels = mask.voxels.ge(0.5).to(torch::kFloat);
    write_volume(begin + "_desc-lesion_mask.nii.gz", mask, NiftiNumber::kUint8);
  }
  Json rows = Json::array();
  for (const auto& row : slices_of(scan, image, change, factor))
    rows.push_back({{"slice", row.slice},
                    {"level", row.level},
                    {"pattern", row.pattern},
                    {"side", row.side},
                    {"severity", std::round(10 * row.severity) / 10}});
  return {{"file", stem + ".nii.gz"}, {"slices", rows}};
}

Json Writer::write_spect(const ScanPlan& scan, Random random) {
  const auto& p = settings_.spect;
  take_maps(centred_grid(2 * p.matrix, 2 * p.matrix, 2 * p.slices, p.pixel_mm / 2, {-1, -2, 3}),
            scan);
  const auto activity =
      make_activity(head_, *maps_, metabolism(scan.tracer), scan.lesions, scan.reserve);
  SpectProtocol protocol = p;
  protocol.counts *= scan.counts_factor;
  const auto result =
      simulate_spect(activity, make_attenuation(*maps_, scan.tracer),
                     make_uniform_attenuation(*maps_, scan.tracer), protocol, random);
  const auto stem = fmt::format("{0}/ses-{1}/spect/{0}_ses-{1}_spect", plan_.id, scan.session);
  return write_functional(
      scan, result.image, activity, 2, stem,
      {{"Modality", "NM"},
       {"TracerName", tracer_name(scan.tracer)},
       {"Session", scan.session},
       {"Units", result.image.unit},
       {"NumberOfViews", p.views},
       {"CountsMeasured", std::round(result.counts_measured)},
       {"ReconMethod", fmt::format("OSEM, {} iterations, {} subsets", p.iterations, p.subsets)},
       {"ReconFilterSize_mm", p.post_filter_fwhm_mm},
       {"AttenuationCorrection", "uniform within the head's contour"}});
}

Json Writer::write_pet(const ScanPlan& scan, Random random) {
  const auto& p = settings_.pet;
  take_maps(centred_grid(p.matrix, p.matrix, p.slices, p.pixel_mm, {-1, -2, 3}), scan);
  auto activity = make_activity(head_, *maps_, metabolism(scan.tracer), scan.lesions);
  activity.voxels.mul_(kCortexBqPerMl / 100 * std::exp(kDoseSd * random.normal()));
  activity.unit = "Bq/mL";
  PetProtocol protocol = p;
  protocol.counts *= scan.counts_factor;
  const auto result =
      simulate_pet(activity, make_attenuation(*maps_, scan.tracer), protocol, random);
  const auto stem =
      fmt::format("{0}/pet/{0}_trc-{1}_pet", plan_.id, tracer_short_name(scan.tracer));
  return write_functional(
      scan, result.image, activity, 1, stem,
      {{"Modality", "PT"},
       {"TracerName", "FDG"},
       {"TracerRadionuclide", "F18"},
       {"Units", result.image.unit},
       {"CountsMeasured", std::round(result.counts_measured)},
       {"ReconMethodName", fmt::format("OSEM, {} iterations, {} subsets", p.iterations, p.subsets)},
       {"ReconFilterType", "Gaussian"},
       {"ReconFilterSize", p.post_filter_fwhm_mm},
       {"AttenuationCorrection", "exact map"}});
}

Json Writer::write_t1(const ScanPlan& scan, Random random) {
  maps_.reset();
  // A sagittal acquisition as converters store it: front to back, head to feet, left to right.
  const Grid grid = centred_grid(256, 256, 176, 1, {-2, -3, 1});
  const auto result =
      simulate_t1(head_, person_, grid, inverse(scan.world_from_person), settings_.t1, random);
  const auto stem = fmt::format("{0}/anat/{0}_T1w", plan_.id);
  write_volume(stem + ".nii.gz", result.image, NiftiNumber::kInt16);
  write_sidecar(stem, {{"Modality", "MR"},
                       {"Synthetic", true},
                       {"Description", "Simulated by scintigen; the person never lived"}});
  write_volume(truth(fmt::format("{0}/anat/{0}_desc-brain_mask.nii.gz", plan_.id)),
               result.brain_mask, NiftiNumber::kUint8);
  return {{"file", stem + ".nii.gz"}, {"slices", Json::array()}};
}

Json Writer::write_scan(const ScanPlan& scan, size_t number) {
  const Random random(seed_, fmt::format("scan {}", number), static_cast<uint64_t>(plan_.index));
  Json json;
  switch (scan.kind) {
    case ScanPlan::Kind::kT1:
      json = write_t1(scan, random);
      break;
    case ScanPlan::Kind::kSpect:
      json = write_spect(scan, random);
      break;
    case ScanPlan::Kind::kPet:
      json = write_pet(scan, random);
      break;
  }
  const char* const modality[] = {"T1w", "spect", "pet"};
  json["modality"] = modality[static_cast<size_t>(scan.kind)];
  json["session"] = scan.session.empty() ? "n/a" : scan.session;
  json["tracer"] = scan.kind == ScanPlan::Kind::kT1 ? "n/a" : tracer_short_name(scan.tracer);
  json["person_to_world"] = json_of(scan.world_from_person);
  json["reserve"] = std::round(1000 * scan.reserve) / 1000;
  json["lesions"] = Json::array();
  for (const auto& lesion : scan.lesions) json["lesions"].push_back(json_of(lesion));
  return json;
}

void Writer::write(const std::function<void()>& between) {
  Json scans = Json::array();
  for (size_t number = 0; number < plan_.scans.size(); ++number) {
    scans.push_back(write_scan(plan_.scans[number], number));
    between();
  }
  const auto grid = person_.displacement.grid();
  const auto warp = torch::from_blob(const_cast<float*>(person_.displacement.component(0)),
                                     {3, grid.nk, grid.nj, grid.ni}, torch::kFloat);
  write_nifti_vectors(folder_ / truth(fmt::format("{0}/{0}_warp.nii.gz", plan_.id)), warp,
                      grid.voxel_to_world, "mm, x y z, RAS; see truth.json", 4);
  const Json json = {
      {"participant_id", plan_.id},
      {"age", plan_.age_years},
      {"sex", plan_.female ? "F" : "M"},
      {"group", plan_.group},
      {"sulcal_widening", std::round(1000 * person_.sulcal_widening) / 1000},
      {"person_to_template_affine", json_of(person_.affine)},
      {"person_to_template", "q = x + warp(x) with x = person_to_template_affine p; mm, RAS+"},
      {"scans", scans}};
  write_file(truth_file(folder_, plan_.id), json.dump(1) + "\n");
}

}  // namespace

std::filesystem::path truth_file(const std::filesystem::path& folder, const std::string& id) {
  return folder / "derivatives" / "truth" / id / "truth.json";
}

void write_person(const std::filesystem::path& folder, const TemplateHead& head,
                  const SimulateSettings& settings, const PersonPlan& plan,
                  const std::function<void()>& between) {
  Writer(folder, head, settings, plan).write(between);
}

}  // namespace scintigen
