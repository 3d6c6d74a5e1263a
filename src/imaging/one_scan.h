// SPDX-License-Identifier: Apache-2.0
// One scan by its name: a NIfTI file, or a folder with one DICOM series.
#pragma once
#include <string>
#include <vector>

#include "imaging/prepare.h"

namespace scintigen {

/// The one series of a folder that can be used. `where` begins each message.
/// throws  Error: no DICOM files; none usable (why); several
DicomSeries only_series(const std::filesystem::path& folder, const std::string& where);

/// The scan that `path` names; nothing of it is read but DICOM headers.
/// throws  Error: not there; only_series()
ScanSource scan_source(const std::filesystem::path& path, const std::string& where);

/// Its voxels, turned to RAS without interpolation (said in `notes`).
/// throws  Error: all of read_volume() and read_dicom_series(); values that are not finite or all
///         the same
Volume read_scan(const ScanSource& source, std::vector<std::string>& notes);

}  // namespace scintigen
