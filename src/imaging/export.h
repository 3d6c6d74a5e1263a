// SPDX-License-Identifier: Apache-2.0
// A volume out to other programs: NIfTI, DICOM beside a source series, BIDS derivatives.
// Does: keep geometry and quantities; say of synthetic volumes that they are.
// Does not: resample, overwrite, or copy anything that names a patient unless told to.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/settings.h"
#include "core/volume.h"

namespace scintigen {

struct ExportSettings : Settings {
  std::string volume, out, format = "nifti", like, modality, participant, session;
  std::string unit, tracer, space = "individual", source_dataset;
  bool synthetic = false, keep_identity = false;
  int64_t seed = 0;
  void visit(SettingsVisitor& visitor) override;
};

/// Does what `settings` says; returns the files written, in order.
/// throws  Error: settings that do not go together; a volume that cannot be read, is not finite or
///         whose axes are not perpendicular (1e-3); no or several series in --like; something in
///         the way of the output
/// Checked tests/imaging/test_export.cpp, tests/cli/export/
std::vector<std::filesystem::path> export_volume(const ExportSettings& settings,
                                                 std::vector<std::string>& notes);

/// BIDS derivatives: dataset_description.json, the volume and its sidecar below settings.out.
std::vector<std::filesystem::path> export_bids(const ExportSettings& settings,
                                               const Volume& volume);

/// DICOM objects in the new folder settings.out, one a slice (PT) or one in all (NM).
std::vector<std::filesystem::path> export_dicom(const ExportSettings& settings,
                                                const Volume& volume,
                                                std::vector<std::string>& notes);

/// What goes to descrip, Derivation Description and sidecars.
std::string export_description(bool synthetic);

}  // namespace scintigen
