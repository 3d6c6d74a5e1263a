// SPDX-License-Identifier: Apache-2.0
// What every detector leaves behind for a person: maps, ranked clusters with their table, the same
// in the person's own space, pictures, a page.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cohort/volume_cohort.h"
#include "core/grid.h"
#include "core/settings.h"
#include "detection/clusters.h"
#include "report/result_page.h"

namespace scintigen {

struct DetectionSettings : Settings {
  int64_t clusters = 10;
  double least_ml = 0, margin_mm = 0;
  std::string native, atlas = "auto", uptake = "any";
  int64_t pictures = 3;
  void visit(SettingsVisitor& visitor) override;
  /// throws Error: `uptake` is asked for of a detector without a PET or SPECT
  void require_uptake_of(const std::vector<std::string>& modalities) const;
};

/// Maps of one person on a detector's grid; lower stands out.
struct DetectionMaps {
  Grid grid;
  torch::Tensor mask;      ///< [D,H,W] bool: where the detector has scores
  torch::Tensor brain;     ///< [D,H,W] bool: the person's own, or undefined where it has no mask
  torch::Tensor score;     ///< float32; undefined where z is all there is
  torch::Tensor z, p;      ///< float32; undefined where the detector has none
  double mildest = 0;      ///< voxels whose z (or score) is above are in no cluster
  torch::Tensor uptake_t;  ///< float32: ControlUptake::of(); undefined: not known
  torch::Tensor scan;      ///< float32, what was scored, for pictures without --native
  std::string method;      ///< a sentence or two for the page
  std::vector<std::string> warnings;
  double surround_mm = 0;  ///< PatchSettings::surround_mm of what was scored
};

class DetectionWriter {
 public:
  /// `cohort`: of the scans that are scored. throws  Error: --native is no native cohort, or they
  /// are not in template space
  DetectionWriter(const DetectionSettings& settings, std::filesystem::path out,
                  const VolumeCohort& cohort, Settings& all_settings);

  /// OUT/ID/: ID_score.nii.gz, ID_z, ID_p, ID_uptake-t (what there is), ID_clusters.nii.gz,
  /// ID_clusters.tsv; with --native the same as ID_space-native_*; overlay_*.png and report.html.
  /// Clusters are of z where there is one, else of the score; of both masks, `margin_mm` inside
  /// their edge, and where uptake is what --uptake asks for: maps are 0 elsewhere. Says how many
  /// were found. throws  Error: no transform or image of the person in
  /// --native; no voxel is inside
  Clusters write(const std::string& id, const DetectionMaps& found_maps) const;

 private:
  struct OwnSpace;
  OwnSpace own_space(const std::string& id) const;
  void draw(const std::filesystem::path& folder, const Volume& anatomy, const Volume& scores,
            const Clusters& clusters, const std::string& score_name, ResultPage& page) const;

  const DetectionSettings& settings_;
  std::filesystem::path out_;
  Settings& all_settings_;
  std::optional<VolumeCohort> native_;
  bool deformed_;  ///< the way to the template has displacements
  std::optional<LabelImage> atlas_;
};

}  // namespace scintigen
