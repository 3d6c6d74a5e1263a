// SPDX-License-Identifier: Apache-2.0
// How well detectors find lesions in a group of patients: curves, free response, chance, which
// detector finds more.
// Does: put patients' hits (detection_curve.h) together, tables for people and programs.
// Does not: read files; make maps.
// Source  Zotova et al. 2021, figure 4; FROC, chance and tests: docs/methods.md, "Detection"
// Checked tests/detection/test_detection_study.cpp: planted clusters; McNemar by hand
#pragma once
#include <string>
#include <vector>

#include "core/table.h"
#include "detection/detection_curve.h"

namespace scintigen {

/// One person's map under one detector. Without a lesion (undefined) the person is a control.
struct ScoredPerson {
  std::string participant_id;
  Volume scores;
  torch::Tensor mask;    ///< [D,H,W], where there are scores
  torch::Tensor lesion;  ///< [D,H,W] > 0 inside; undefined: a control
};

struct StudyRule {
  HitRule hit = HitRule::kVoxel;
  ClusterRule clusters{Direction::kBelow, 0, 0};
  int64_t most = 10;               ///< the curve runs over 1 .. most clusters a person
  std::vector<double> thresholds;  ///< of the free response; stricter last
  int64_t draws = 200;             ///< random placements a person and number of clusters; 0: none
  uint64_t seed = 1;
};

/// What a detector does in a group.
struct DetectorStudy {
  std::string name;
  std::vector<std::string> patients, controls;
  std::vector<std::vector<PatientHit>> hits;  ///< [patient][n - 1]: at most n clusters
  std::vector<DetectionPoint> curve;          ///< over n
  std::vector<double> chance;                 ///< over n: mean of chance_of_hit(); empty: not asked
  std::vector<DetectionPoint> at_thresholds;  ///< over rule.thresholds: one threshold for everybody
  std::vector<double> in_controls;            ///< over rule.thresholds: mean clusters a control
};
/// throws  Error: nobody with a lesion; maps and lesions of other grids
DetectorStudy study_detector(const std::string& name, const std::vector<ScoredPerson>& people,
                             const StudyRule& rule);

/// participant_id, most, clusters, rank (0: missed), misses.
Table hit_table(const DetectorStudy& study);
/// most, clusters, false_clusters, sensitivity, lower, upper, chance.
Table curve_table(const DetectorStudy& study);
/// threshold, clusters, false_clusters, in_controls, sensitivity, lower, upper.
Table froc_table(const DetectorStudy& study, const std::vector<double>& thresholds);
/// Every pair of detectors at every n, patients that both have: most, a, b, patients, only_a,
/// only_b, p (McNemar's exact test, two-sided; not adjusted for the number of pairs).
Table pair_table(const std::vector<DetectorStudy>& studies);

}  // namespace scintigen
