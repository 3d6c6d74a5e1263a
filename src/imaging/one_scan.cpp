// SPDX-License-Identifier: Apache-2.0
#include "imaging/one_scan.h"

#include <ATen/ATen.h>

#include "cohort/modality.h"
#include "core/error.h"
#include "core/orientation.h"
#include "core/volume_io.h"

namespace scintigen {

DicomSeries only_series(const std::filesystem::path& folder, const std::string& where) {
  const auto found = find_dicom_series(folder, nullptr);
  std::vector<DicomSeries> usable;
  for (const auto& series : found)
    if (series.refusal.empty()) usable.push_back(series);
  require(!found.empty(), "{}: {}: no DICOM files", where, folder.string());
  require(!usable.empty(), "{}: {}: {}", where, folder.string(), found[0].refusal);
  require(usable.size() == 1,
          "{}: {}: {} series; expected one: name the folder of one series, or give the files of "
          "each a folder of their own",
          where, folder.string(), usable.size());
  return usable[0];
}

ScanSource scan_source(const std::filesystem::path& path, const std::string& where) {
  std::error_code error;
  ScanSource source;
  if (std::filesystem::is_directory(path, error)) {
    source.series = only_series(path, where);
    source.tracer = source.series.technical.tracer;
    return source;
  }
  require(std::filesystem::is_regular_file(path, error),
          "{}: {}: not there; expected a NIfTI file or a folder with one DICOM series", where,
          path.string());
  source.file = path;
  return source;
}

Volume read_scan(const ScanSource& source, std::vector<std::string>& notes) {
  auto volume = source.file.empty() ? read_dicom_series(source.series, &notes)
                                    : read_volume(source.file, &notes);
  if (!source.unit.empty()) volume.unit = source.unit;
  require(torch::isfinite(volume.voxels).all().item<bool>(),
          "{}: holds values that are not finite; mend or mask them first", source.name());
  require(volume.voxels.min().item<float>() < volume.voxels.max().item<float>(),
          "{}: every value is {}; is it the right file?", source.name(),
          number_text(volume.voxels.flatten()[0].item<float>()));
  if (is_emission(source.modality) && volume.unit.empty())
    notes.push_back("nothing says what its voxels' unit is");
  notes.push_back(fmt::format("stored {}, turned to RAS without interpolation",
                              orientation_letters(volume.voxel_to_world)));
  return canonical_orientation(volume);
}

}  // namespace scintigen
