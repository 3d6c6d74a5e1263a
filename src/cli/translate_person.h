// SPDX-License-Identifier: Apache-2.0
// One person's translation: which volumes go in, what is written of what comes out.
#pragma once
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "cohort/paired_slices.h"
#include "core/volume.h"
#include "synthesis/translate.h"

namespace scintigen {

/// A person to translate, from a prepared cohort or from files.
struct TranslateSubject {
  PairedPerson person;
  std::string name;       ///< of files: "sub-01_ses-x_desc-synthetic_spect", "synthetic_spect"
  std::string folder;     ///< below --out; empty: --out itself
  std::string session;    ///< or empty
  bool prepared = false;  ///< written as a volume of a prepared cohort, its mask beside it
  std::string role;       ///< training, held_out, left_out, new, n/a
  std::vector<std::filesystem::path> files;  ///< read, one a channel
  Grid grid;                                 ///< of the input as stored: what is written lies on it
  int form_code = 2;  ///< of the NIfTI written: aligned, or 4 in template space
  const char* ending() const { return prepared ? ".nii" : ".nii.gz"; }
};

/// Inputs from files, one a channel, on one grid; `mask` may be empty.
/// throws  Error: another number of files than modalities, volumes that are not finite, other grids
TranslateSubject subject_of_files(const std::vector<std::string>& files, const std::string& mask,
                                  const PairedSettings& data);

/// What was made of a person.
struct TranslatedPerson {
  TranslatedPixels pixels;
  std::vector<PlaneRange> ranges;  ///< what pixels were scaled by
  torch::Tensor counts;            ///< [D,H,W] in `unit`
  torch::Tensor deviation;         ///< or undefined
  torch::Tensor inside;            ///< float32 [D,H,W] > 0: what counts as brain
  std::string unit;
  double level = 0;                 ///< of counts; 0: not in a unit
  int64_t beyond_training = 0;      ///< planes outside those that training saw the like of
  double neighbour_difference = 0;  ///< of counts
  std::vector<std::string> warnings;
};

/// Writes NAME.nii.gz (or .nii and NAME_mask.nii), NAME.json, with samples NAME with desc-sd, and
/// NAME_sheet.png. `about`: what all people share (method, checkpoints, inference). `real` (or
/// undefined) is shown beside.
void write_translation(const std::filesystem::path& out, const TranslateSubject& subject,
                       const TranslatedPerson& made, const PairedSettings& data,
                       const nlohmann::ordered_json& about, const torch::Tensor& real);

}  // namespace scintigen
