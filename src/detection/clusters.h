// SPDX-License-Identifier: Apache-2.0
// Places of a score map that stand out: clusters of voxels beyond a threshold.
// Does: clusters (26 neighbours), their size, peak, mean and region; their ranks; the threshold
//       that leaves at most n of them; a table.
// Does not: make score maps; say what a cluster means.
//
// Scores "stand out" upwards (SISCOM's hyperperfusion, z >= 2) or downwards (a one-class SVM's
// score, z <= -2): Direction. A map is a Volume; a mask is [D,H,W] of any type on the same grid,
// undefined where all voxels take part.
#pragma once
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "core/affine.h"
#include "core/grid.h"
#include "core/label_image.h"
#include "core/spatial_map.h"
#include "core/table.h"

namespace scintigen {

enum class Direction { kAbove, kBelow };

struct ClusterRule {
  Direction direction = Direction::kAbove;
  double threshold = 2;  ///< voxels at it or beyond it are in
  double least_ml = 0;   ///< smaller clusters are left out
};

/// Positions are mm, RAS+, in the world of the score map.
struct Cluster {
  int32_t label = 0;  ///< its voxels in Clusters::labels; 1 = ranked first
  int64_t voxels = 0;
  double volume_ml = 0;
  double peak = 0;  ///< the score that stands out most
  Point peak_mm{};
  Point centre_mm{};  ///< mean of its voxels' centres
  double mean = 0;    ///< of its scores
  double rank_score = 0;
  std::string region;   ///< of the peak; "" without an atlas or away from it
  double uptake_t = 0;  ///< mean of that map: set_uptake_t()
};

struct Clusters {
  torch::Tensor labels;        ///< int32 [D,H,W]; 0 = no cluster
  std::vector<Cluster> found;  ///< by rank: found[r].label == r + 1
  ClusterRule rule;
  bool with_uptake_t = false;  ///< set_uptake_t() was called
};

/// Rank: r = size / largest size / 2 + |mean| / largest |mean| / 2, largest first; the more extreme
/// peak first where r is equal, then the earlier voxel. Size and mean score count alike (Zotova and
/// Pinon, appendix C; the exact formula is not given there: docs/methods.md).
/// throws  Error: voxels not float32 [D,H,W]; a score in the mask that is not finite; a mask of
///         another shape; a threshold that is not finite; least_ml below 0; a singular affine
/// Time    linear in the voxels; memory 4 bytes a voxel
/// Checked tests/detection/test_clusters.cpp: scipy.ndimage.label, sum, mean, centre_of_mass
///         and extrema (golden); a ball of known ml, place and score
Clusters find_clusters(const Volume& scores, const ClusterRule& rule,
                       const torch::Tensor& mask = {});

/// Element n - 1, n = 1 .. `most`: the mildest threshold such that at it, and at every stricter
/// one, at most n clusters of at least `rule.least_ml` remain; never milder than `rule.threshold`.
/// Exact: the voxels join in order of their scores (union-find), so no grid of thresholds is
/// searched. The scores themselves are the candidates; where even the most extreme score gives more
/// than n (ties), the result is the next number beyond it and no cluster remains.
///
/// Source  "at most n clusters remain": Zotova and Pinon, appendix C
/// throws  Error: as find_clusters(); most < 1; over 2^31 voxels
/// Time    sorts the voxels beyond rule.threshold once: 1.5 million in about 1 s
/// Checked tests/detection/test_clusters.cpp against thresholds tried one by one
std::vector<double> thresholds_for_at_most(const Volume& scores, const ClusterRule& rule,
                                           int64_t most, const torch::Tensor& mask = {});
/// The last of them: for at most `most` clusters.
double threshold_for_at_most(const Volume& scores, const ClusterRule& rule, int64_t most,
                             const torch::Tensor& mask = {});

/// Names the region of each peak. `scores_to_atlas` takes the map's world to the atlas'; the region
/// nearest to the peak within `reach_mm` counts.
void name_regions(Clusters& clusters, const LabelImage& atlas, const Affine& scores_to_atlas,
                  double reach_mm = 8);

/// Mean over each cluster of ControlUptake::of() (of the scores' shape; below 0: less than
/// controls).
void set_uptake_t(Clusters& clusters, const torch::Tensor& uptake_t);

/// The same clusters where the scores were brought to another grid, such as the patient's own:
/// labels of the nearest voxel, places moved, ml by the map's volume (where it deforms: by the
/// target's voxels); scores, ranks and regions stay. `target_to_scores` takes the target's world to
/// the scores'. A cluster between the target's voxels has none of them and stays in the list.
/// throws Error: a map that is singular; all of resample()
/// Checked tests/detection/test_clusters.cpp: a ball moved, turned and doubled
Clusters clusters_on(const Clusters& clusters, const Grid& scores, const Grid& target,
                     const SpatialMap& target_to_scores);

/// One row a cluster in order of rank: cluster, direction, voxels, volume_ml, peak, peak_x, peak_y,
/// peak_z, centre_x, centre_y, centre_z (mm, RAS+), mean, rank_score, region ("n/a" without one),
/// and with_uptake_t (of the first), uptake_t.
/// docs/file_formats.md, "Clusters". Several tables of one scan go under one another.
Table cluster_table(const std::vector<const Clusters*>& all);

}  // namespace scintigen
