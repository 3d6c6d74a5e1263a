// SPDX-License-Identifier: Apache-2.0
// Prepared volumes: what `prepare` makes and translators train on, a folder for any language.
//   volumes.json   format, space, interpolation, who made it; written last
//   volumes.tsv    one row a volume: participant_id, session, modality, file, ...
//   sub-01/*.nii   float32, not compressed: read through the page cache, never whole
// Does: describe, write the description, map voxels into memory.
// Does not: decide how volumes are prepared (imaging/prepare.h). Described for other programs in
// docs/file_formats.md.
#pragma once
#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "core/grid.h"
#include "core/table.h"

namespace scintigen {

/// One volume of a cohort. stored * slope + intercept is in `unit` again, for every voxel, or slice
/// by slice as `scaling_file` says.
struct PreparedVolume {
  std::string participant_id;
  std::string session;                    ///< empty where there is one only
  std::string modality;                   ///< T1w, pet, spect, ...
  std::filesystem::path file, mask_file;  ///< from the cohort's folder; a mask may be missing
  Grid grid;
  std::string unit, tracer;
  std::string scaling;  ///< none, volume, percentile, suvr, slice
  double slope = 1, intercept = 0;
  std::filesystem::path scaling_file;  ///< of scaling "slice": slice, slope, intercept
};

struct VolumeCohort {
  std::filesystem::path folder;
  std::string name;
  std::string space;                    ///< native, template, acpc
  std::string template_fit = "affine";  ///< how template space was reached: affine, deformable
  std::vector<PreparedVolume> volumes;
  Table table;  ///< volumes.tsv as it stands, a row a volume

  std::vector<std::string> participants() const;  ///< distinct, in order of first appearance
  /// Row of a participant's volume of a modality; throws Error naming what there is instead.
  /// `session` empty: the only one there is.
  size_t find(const std::string& participant_id, const std::string& modality,
              const std::string& session = "") const;
};

/// throws  Error: a missing file, another format version, a volume that is not there or not
///         float32 on the grid its row states
/// Reads   headers, no voxels
/// Checked tests/cohort/test_volume_cohort.cpp
VolumeCohort read_volume_cohort(const std::filesystem::path& folder);

/// Voxels float32 [D,H,W] of a prepared volume, mapped read-only: pages are read when touched and
/// given back under memory pressure. Lives as long as the tensor; must not be written to.
torch::Tensor map_voxels(const VolumeCohort& cohort, size_t row);

/// {slope, intercept}: stored * slope + intercept is in the volume's unit. One pair, or one a plane
/// where it was scaled by slice.
/// throws  Error: a scaling_file with other rows than the volume has planes
std::vector<std::array<double, 2>> unit_scaling(const VolumeCohort& cohort, size_t row);

/// Writes volumes.tsv and, last, volumes.json. Columns of `more` (a row a volume) follow ours.
void write_volume_cohort(const VolumeCohort& cohort, const Table& more,
                         const std::string& provenance_json);

}  // namespace scintigen
