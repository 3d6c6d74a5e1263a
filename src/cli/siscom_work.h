// SPDX-License-Identifier: Apache-2.0
// The steps of `scintigen siscom`, from scans to maps and clusters; nothing is written here.
#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/settings.h"
#include "detection/siscom.h"
#include "imaging/one_scan.h"
#include "imaging/registration.h"

namespace scintigen {

struct SiscomSettings : Settings {
  std::string ictal, interictal, synthetic_interictal, mri, out;
  std::string synthetic_space = "mri", brain_mask, brain = "auto";
  std::string counts = "mean", reference_mask, reference_region;
  double smooth_mm = 0, spacing_mm = 2, threshold = 2, least_ml = 1;
  std::string atlas = "auto";
  std::string template_head = kTemplateHead, template_brain = kTemplateBrain;
  std::string template_labels = kAtlasLabels, template_names = kAtlasNames;
  std::string normal_sd, normal_mean;
  int64_t normal_people = 0;
  double normal_threshold = 3.09, normal_smooth_mm = 16;
  int64_t pictures = 3;
  bool dicom = false, keep_doubtful = false;
  int64_t threads = 0;
  void visit(SettingsVisitor& visitor) override;
  /// throws Error: settings that do not go together, before anything is read.
  void check() const;
};

/// A map between two scans, as found or as given.
struct FoundMap {
  std::string name;                          ///< "ictal to MRI"
  std::optional<Registration> registration;  ///< none: the scan lies in the MRI's space already
  std::string doubt;                         ///< "" = trusted
};

/// A subtraction with its clusters, on one grid.
struct Maps {
  Volume difference, z;
  Clusters above, below;
};

/// One subtraction: with the real or with the synthetic interictal scan.
struct SiscomMaps {
  std::string name;  ///< "interictal", "synthetic interictal"
  Subtraction subtraction;
  Maps mri;                          ///< in the MRI's space, with clusters
  Volume ictal_difference, ictal_z;  ///< on the ictal scan's own grid
  std::optional<Maps> normal;        ///< against normal differences (t in `z`); MRI's space
};

struct SiscomResult {
  std::vector<std::string> warnings, notes;
  std::vector<FoundMap> maps;
  Affine mri_to_ictal{};
  std::string left_out;  ///< not empty: nothing was subtracted, why
  Volume mri, brain;     ///< brain: on the working grid
  double brain_ml = 0;
  std::vector<SiscomMaps> made;  ///< the real one first
  std::optional<MapAgreement> agreement;
  std::vector<std::string> dicom_hashes;  ///< of what was read as DICOM
};

/// throws  Error: scans that cannot be read, registered or masked; all of subtract()
SiscomResult siscom(const SiscomSettings& settings);

}  // namespace scintigen
