// SPDX-License-Identifier: Apache-2.0
// A lesion detector on disk: an encoder, a grid, and the machines of each plane of it.
//   detector.json          grid, modalities, settings, key; written before the planes
//   network.safetensors    the patch auto-encoder
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
#include "detection/voxel_machines.h"

namespace scintigen {

struct Detector {
  std::filesystem::path folder;
  PatchSettings patches;
  Grid grid;
  std::vector<int64_t> planes;  ///< those with brain
  int64_t controls = 0, folds = 0;
  std::string key;  ///< of network, controls and settings; every plane file has it
  PatchAutoencoder network{nullptr};
};

/// Writes detector.json and network.safetensors of a detector of these controls, or finds them
/// there. throws  Error: the folder holds a detector of other controls, settings or network
Detector begin_detector(const std::filesystem::path& folder, const PatchAutoencoder& network,
                        const PatchPeople& controls, const PatchSettings& patches,
                        const VoxelMachineSettings& settings);

/// throws  Error: missing or damaged files, another format version
Detector read_detector(const std::filesystem::path& folder);

struct FitOutcome {
  int64_t fitted = 0, kept = 0;  ///< planes
  int64_t voxels = 0, supports = 0;
  double largest_gap = 0;
  bool stopped = false;  ///< stop_requested()
};
/// Fits the planes without a file. `each` is called after each plane.
FitOutcome fit_detector(const Detector& detector, const PatchPeople& controls,
                        const VoxelMachineSettings& settings, const std::function<void()>& each);

struct ScoreMaps {
  torch::Tensor score;  ///< float32 [D,H,W]: decision, negative = anomalous; 0 outside the mask
  torch::Tensor z;      ///< (score - controls' mean) / deviation; undefined without folds
  torch::Tensor mask;   ///< bool [D,H,W]: where there are machines
};
/// Scores of several people; every plane is read once. throws Error: a plane is missing (names it).
std::vector<ScoreMaps> score_people(const Detector& detector,
                                    const std::vector<ScaledScans>& people,
                                    const std::function<void()>& each);

}  // namespace scintigen
