// SPDX-License-Identifier: Apache-2.0
// A lesion detector on disk: an encoder, a grid, and the machines of each plane of it.
//   detector.json          grid, modalities, settings, key; written before the planes
//   network.safetensors    the patch auto-encoder
//   uptake.safetensors     controls' uptake of the tracer, where a modality is PET or SPECT
//
//   planes/plane-0057.safetensors   machines of axial plane 57; planes without brain have no file
// Does: fit the planes that are not there yet, score people plane by plane.
// Does not: hold more than a plane of machines in memory.
// Described for other programs in docs/file_formats.md, "Detectors".
#pragma once
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "cohort/patch_pairs.h"
#include "core/grid.h"
#include "core/shard.h"
#include "detection/control_quality.h"
#include "detection/control_uptake.h"
#include "detection/held_out_scores.h"
#include "detection/voxel_machines.h"

namespace scintigen {

struct Detector {
  std::filesystem::path folder;
  PatchSettings patches;
  Grid grid;
  std::vector<int64_t> planes;  ///< those with brain
  std::string template_fit;     ///< of the controls' cohort
  int64_t controls = 0, folds = 0;
  std::string key;  ///< of network, controls and settings; every plane file has it
  ControlQuality quality;
  ControlUptake uptake;
  PatchAutoencoder network{nullptr};
};

/// Writes detector.json, network.safetensors and uptake.safetensors of a detector of these controls
/// of a cohort, or finds them there. throws  Error: the folder holds a detector of other controls,
/// settings or network; folds that leave nobody; as control_uptake()
Detector begin_detector(const std::filesystem::path& folder, const PatchAutoencoder& network,
                        const PatchPeople& controls, const PatchSettings& patches,
                        const VoxelMachineSettings& settings, const VolumeCohort& cohort);

/// throws  Error: missing or damaged files, another format version
Detector read_detector(const std::filesystem::path& folder);

struct FitOutcome {
  int64_t fitted = 0, kept = 0;  ///< planes
  int64_t voxels = 0, supports = 0;
  double largest_gap = 0;
  bool stopped = false;  ///< stop_requested()
};
/// Fits those planes of a shard (the p-th plane with brain is item p) that have no file: shards may
/// run side by side into one folder, or each into its own whose planes/ are put together after.
/// `each` is called after each plane.
FitOutcome fit_detector(const Detector& detector, const PatchPeople& controls,
                        const VoxelMachineSettings& settings, const Shard& shard,
                        const std::function<void()>& each);
/// Planes with brain that have no file yet.
std::vector<int64_t> missing_planes(const Detector& detector);
/// throws Error: a plane is missing (names it)
void require_complete(const Detector& detector);
/// throws Error: as read_plane()
PlaneMachines read_fitted_plane(const Detector& detector, int64_t plane);

struct ScoreMaps {
  torch::Tensor score;  ///< float32 [D,H,W]: decision, negative = anomalous; 0 outside the mask
  torch::Tensor z;      ///< (score - controls' mean) / deviation; undefined without folds
  torch::Tensor p;     ///< of z among controls' (ZDistribution); 1 outside; undefined without folds
  torch::Tensor mask;  ///< bool [D,H,W]: where there are machines
};
struct ScoredPeople {
  std::vector<ScoreMaps> maps;
  ZDistribution healthy;  ///< of controls' held-out z; empty without folds
};
/// Scores of several people; every plane is read once. throws Error: a plane is missing (names it).
ScoredPeople score_people(const Detector& detector, const std::vector<ScaledScans>& people,
                          const std::function<void()>& each);

}  // namespace scintigen
