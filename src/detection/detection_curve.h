// SPDX-License-Identifier: Apache-2.0
// How well ranked clusters find lesions that are known.
// Does: hit or miss of a patient's clusters by a stated rule, sensitivity against clusters per
//       patient, what clusters of the same sizes placed at random would hit.
// Does not: make score maps or clusters; test for differences (metrics/ has McNemar's exact test).
// Source  Zotova et al. 2021, figure 4 (sensitivity against the number of clusters, thresholds by
//         patient); the stricter rules, chance and intervals are ours (docs/methods.md,
//         "Detection").
// Checked tests/detection/test_detection_curve.cpp: planted clusters, chance by counting places
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <vector>

#include "core/volume.h"
#include "detection/clusters.h"

namespace scintigen {

/// kVoxel: cluster and lesion share a voxel (the paper's). kTenPercent: they share 10 % of the
/// lesion's voxels or more. kCentre: their centres lie within 10 mm.
enum class HitRule { kVoxel, kTenPercent, kCentre };

struct PatientHit {
  int64_t clusters = 0;  ///< that were left
  int64_t rank = 0;      ///< of the first that hits, from 1; 0: a miss
  int64_t misses = 0;    ///< clusters that hit nothing
  bool hit() const { return rank > 0; }
};

/// `lesion` [D,H,W], > 0 inside, on the map's grid; an empty one is never hit.
PatientHit judge_clusters(const Clusters& clusters, const torch::Tensor& lesion,
                          const Affine& voxel_to_world, HitRule rule);

struct DetectionPoint {
  double clusters = 0;          ///< mean per patient
  double misses = 0;            ///< mean false clusters per patient: the free-response axis
  double sensitivity = 0;       ///< part of the patients whose lesion is hit
  double lower = 0, upper = 1;  ///< Wilson's 95 % interval, a patient being one trial
};
/// Of patients' curves of the same length. throws Error: no patient, curves of other lengths
std::vector<DetectionPoint> detection_curve(const std::vector<std::vector<PatientHit>>& patients);

/// The part of `draws` in which the clusters, each moved to a random place with its centre in the
/// mask, hit the lesion: what luck would find. Moved voxels outside the mask are lost.
double chance_of_hit(const Clusters& clusters, const torch::Tensor& mask,
                     const torch::Tensor& lesion, const Affine& voxel_to_world, HitRule rule,
                     uint64_t seed, int64_t draws);

/// Random placements; 0: none.
struct ChanceDraws {
  int64_t draws = 0;
  uint64_t seed = 1;
};

/// Element n - 1: with the threshold that leaves at most n clusters, n = 1 .. most.
struct PatientCurve {
  std::vector<PatientHit> hits;
  std::vector<double> chance;  ///< chance_of_hit(); empty without draws
};
PatientCurve patient_curve(const Volume& scores, const torch::Tensor& mask,
                           const torch::Tensor& lesion, const ClusterRule& rule, int64_t most,
                           HitRule hit_rule, const ChanceDraws& chance = {});

}  // namespace scintigen
