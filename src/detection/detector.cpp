// SPDX-License-Identifier: Apache-2.0
#include "detection/detector.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/progress.h"
#include "core/safetensors.h"

namespace scintigen {
namespace {

constexpr int64_t kFormat = 4;

std::filesystem::path plane_file(const Detector& detector, int64_t plane) {
  return detector.folder / "planes" / fmt::format("plane-{:04}.safetensors", plane);
}

std::filesystem::path uptake_file(const std::filesystem::path& folder) {
  return folder / "uptake.safetensors";
}

std::map<std::string, torch::Tensor> weights_of(const PatchAutoencoder& network) {
  std::map<std::string, torch::Tensor> weights;
  for (const auto& entry : network->named_parameters())
    weights["network." + entry.key()] = entry.value().detach().to(torch::kCPU, torch::kFloat);
  return weights;
}

/// Everything that a machine depends on: weights, the controls' scaled voxels, settings.
std::string key_of(const PatchAutoencoder& network, const PatchPeople& controls,
                   nlohmann::ordered_json settings) {
  const auto add = [](std::string& text, const torch::Tensor& tensor) {
    const auto whole = tensor.contiguous();
    text += sha256_of_bytes({static_cast<const char*>(whole.data_ptr()),
                             static_cast<size_t>(whole.numel()) * whole.element_size()});
  };
  std::string hashes = settings.dump();
  for (const auto& [name, weight] : weights_of(network)) add(hashes, weight);
  for (const auto& person : controls.scans)
    for (const auto& voxels : person.voxels) add(hashes, voxels);
  add(hashes, controls.mask);
  return sha256_of_bytes(hashes);
}

nlohmann::ordered_json describe(const PatchPeople& controls, const PatchSettings& patches,
                                const VoxelMachineSettings& settings) {
  std::vector<int64_t> planes;
  for (int64_t k = 0; k < controls.grid.nk; ++k)
    if (controls.mask[k].any().item<bool>()) planes.push_back(k);
  return {{"format", "scintigen detector"},
          {"version", kFormat},
          {"shape", {controls.grid.ni, controls.grid.nj, controls.grid.nk}},
          {"voxel_to_world", controls.grid.voxel_to_world},
          {"modalities", patches.modalities},
          {"session", patches.session},
          {"clip_percent", patches.clip_percent},
          {"smooth_mm", patches.smooth_mm},
          {"surround_mm", patches.surround_mm},
          {"controls", controls.participants.size()},
          {"nu", settings.one_class.nu},
          {"gamma", settings.one_class.gamma},
          {"folds", settings.folds},
          {"planes", planes}};
}

}  // namespace

Detector begin_detector(const std::filesystem::path& folder, const PatchAutoencoder& network,
                        const PatchPeople& controls, const PatchSettings& patches,
                        const VoxelMachineSettings& settings, const VolumeCohort& cohort) {
  if (settings.folds > 0)  // refused before anything is written
    HeldOutScorer(static_cast<int64_t>(controls.participants.size()), kPatchLatents,
                  settings.one_class, settings.folds);
  auto description = describe(controls, patches, settings);
  description["template_fit"] = cohort.template_fit;
  description["key"] = key_of(network, controls, description);
  const auto path = folder / "detector.json";
  if (std::filesystem::exists(path)) {
    require(read_detector(folder).key == description["key"].get<std::string>(),
            "{}: holds a detector of other controls, settings or features; name another --out",
            folder.string());
  } else {
    description["quality"] = control_quality(network, controls, cohort).json();
    const auto uptake = control_uptake(controls, patches.modalities);
    std::filesystem::create_directories(folder / "planes");
    write_tensors(folder / "network.safetensors", weights_of(network));
    write_control_uptake(uptake_file(folder), uptake, description["key"].get<std::string>());
    write_file(path, description.dump(2) + "\n");
  }
  return read_detector(folder);
}

Detector read_detector(const std::filesystem::path& folder) {
  const auto path = folder / "detector.json";
  const auto json = nlohmann::json::parse(read_file(path), nullptr, false);
  Detector detector;
  detector.folder = folder;
  try {
    require(json.is_object() && json.value("format", "") == "scintigen detector" &&
                json.value("version", int64_t{0}) == kFormat,
            "{}: expected a detector of version {}; fit it again, into an empty folder",
            path.string(), kFormat);
    const auto shape = json.at("shape").get<std::array<int64_t, 3>>();
    require(*std::min_element(shape.begin(), shape.end()) >= 1 &&
                *std::max_element(shape.begin(), shape.end()) <= 4096,
            "{}: shape is not 1 to 4096 voxels a side", path.string());
    detector.grid = {shape[0], shape[1], shape[2], json.at("voxel_to_world").get<Affine>()};
    detector.patches.modalities = json.at("modalities").get<std::vector<std::string>>();
    detector.patches.session = json.at("session").get<std::string>();
    detector.patches.clip_percent = json.at("clip_percent").get<double>();
    detector.patches.smooth_mm = json.value("smooth_mm", 0.0);  // older detectors have neither
    detector.patches.surround_mm = json.value("surround_mm", 0.0);
    detector.controls = json.at("controls").get<int64_t>();
    detector.folds = json.at("folds").get<int64_t>();
    detector.template_fit = json.value("template_fit", "affine");  // of older detectors
    detector.planes = json.at("planes").get<std::vector<int64_t>>();
    detector.key = json.at("key").get<std::string>();
    detector.quality = control_quality_of(json.at("quality"));
  } catch (const nlohmann::json::exception& e) {
    throw Error("{}: is damaged ({}); fit it again", path.string(), e.what());
  }
  for (const int64_t plane : detector.planes)
    require(plane >= 0 && plane < detector.grid.nk, "{}: plane {} is not on its grid; fit it again",
            path.string(), plane);
  const auto modalities = static_cast<int64_t>(detector.patches.modalities.size());
  require(modalities >= 1 && modalities <= 16, "{}: {} modalities; expected 1 to 16", path.string(),
          modalities);
  detector.network = PatchAutoencoder(modalities);
  const auto file = read_tensors(folder / "network.safetensors");
  const torch::NoGradGuard no_grad;
  for (auto& entry : detector.network->named_parameters()) {
    const auto& stored = file.at("network." + entry.key());
    require(stored.sizes() == entry.value().sizes(), "{}: {} has another shape; fit it again",
            file.source, entry.key());
    entry.value().copy_(stored);
  }
  detector.uptake = read_control_uptake(uptake_file(folder), detector.patches.modalities,
                                        detector.key, detector.grid, detector.controls);
  return detector;
}

FitOutcome fit_detector(const Detector& detector, const PatchPeople& controls,
                        const VoxelMachineSettings& settings, const Shard& shard,
                        const std::function<void()>& each) {
  const DensePatchEncoder encoder(detector.network);
  FitOutcome outcome;
  for (size_t p = 0; p < detector.planes.size(); ++p) {
    if (!shard.has(static_cast<int64_t>(p))) continue;
    if (stop_requested()) {
      outcome.stopped = true;
      break;
    }
    const int64_t plane = detector.planes[p];
    const auto path = plane_file(detector, plane);
    if (std::filesystem::exists(path)) {
      ++outcome.kept;
    } else {
      const auto machines =
          fit_plane(encoder, controls.scans, controls.mask[plane], plane, settings);
      write_plane(path, machines, detector.key);
      ++outcome.fitted;
      outcome.voxels += machines.voxel.numel();
      outcome.supports += machines.control.numel();
      outcome.largest_gap = std::max(outcome.largest_gap, machines.largest_gap);
    }
    each();
  }
  return outcome;
}

std::vector<int64_t> missing_planes(const Detector& detector) {
  std::vector<int64_t> missing;
  for (const int64_t plane : detector.planes)
    if (!std::filesystem::exists(plane_file(detector, plane))) missing.push_back(plane);
  return missing;
}

void require_complete(const Detector& detector) {
  const auto missing = missing_planes(detector);
  require(missing.empty(),
          "{}: plane {} is not fitted yet; run the same `scintigen detect fit` again",
          detector.folder.string(), missing.empty() ? 0 : missing.front());
}

PlaneMachines read_fitted_plane(const Detector& detector, int64_t plane) {
  return read_plane(plane_file(detector, plane), detector.key, detector.grid.nj, detector.grid.ni,
                    detector.controls);
}

namespace {

/// Writes one person's scores of a plane into the maps.
void put_plane(const PlaneMachines& machines, const torch::Tensor& scores, int64_t plane,
               ScoreMaps& maps) {
  const auto voxel = machines.voxel.to(torch::kLong);
  maps.score[plane].view({-1}).index_copy_(0, voxel, scores);
  maps.mask[plane].view({-1}).index_fill_(0, voxel, true);
  if (!machines.mean.defined()) return;
  const auto z = (scores - machines.mean) / machines.deviation;
  maps.z[plane].view({-1}).index_copy_(
      0, voxel, torch::where(machines.deviation > kLeastScoreDeviation, z, torch::zeros_like(z)));
}

}  // namespace

ScoredPeople score_people(const Detector& detector, const std::vector<ScaledScans>& people,
                          const std::function<void()>& each) {
  const DensePatchEncoder encoder(detector.network);
  const auto& grid = detector.grid;
  require_complete(detector);
  ScoredPeople scored;
  scored.maps.resize(people.size());
  for (auto& map : scored.maps) {
    map.score = torch::zeros({grid.nk, grid.nj, grid.ni});
    map.mask = torch::zeros({grid.nk, grid.nj, grid.ni}, torch::kBool);
    if (detector.folds > 0) map.z = torch::zeros_like(map.score);
  }
  for (const int64_t plane : detector.planes) {
    const auto machines = read_fitted_plane(detector, plane);
    for (size_t p = 0; p < people.size(); ++p)
      put_plane(machines, score_plane(encoder, people[p], machines, plane), plane, scored.maps[p]);
    if (machines.mean.defined()) scored.healthy.add(ZDistribution(machines.healthy));
    each();
  }
  for (auto& map : scored.maps)
    if (map.z.defined())
      map.p = scored.healthy.p_values(map.z).masked_fill_(map.mask.logical_not(), 1);
  return scored;
}

}  // namespace scintigen
