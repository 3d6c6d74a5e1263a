// SPDX-License-Identifier: Apache-2.0
// A one-class machine at every voxel of a brain, plane by plane: features of all controls' patches
// around a voxel, computed densely, are the examples of the voxel's machine.
// Does: fit a plane, score a person's plane. Memory is one plane of
// feature
//       maps of all controls (75 controls at 1 mm: 150 MB), never the latents of a brain.
// Does not: keep machines in files (plane_machines.h); train the encoder; register or scale images
// to each other (prepare did); choose clusters
//       (detection/clusters.h).
// Source  Zotova et al. 2021, section 2.2; formulas and what is ours: docs/methods.md, "Machines at
//         every voxel"
// Checked tests/detection/test_voxel_machines.cpp: patch by patch with the plain encoder and the
//         batched machines; files; threads
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <vector>

#include "cohort/scaled_scans.h"
#include "detection/one_class_svm.h"
#include "detection/plane_machines.h"
#include "models/dense_patches.h"

namespace scintigen {

struct VoxelMachineSettings {
  OneClassSettings one_class;
  int64_t folds = 0;  ///< controls scored by machines without them, in this many parts; 0: not
  void visit(SettingsVisitor& visitor);
};

/// mask bool [H,W]. Controls' features are rounded to float16 before they are fitted, so that the
/// file holds exactly what was fitted.
/// throws  Error: fewer than 2 controls, more than 32767; folds as HeldOutScorer
PlaneMachines fit_plane(const DensePatchEncoder& encoder, const std::vector<ScaledScans>& controls,
                        const torch::Tensor& mask, int64_t plane,
                        const VoxelMachineSettings& settings);

/// Decision at every voxel of the plane's machines, float32 [V]; negative: outside what controls
/// are.
torch::Tensor score_plane(const DensePatchEncoder& encoder, const ScaledScans& person,
                          const PlaneMachines& machines, int64_t plane);

}  // namespace scintigen
