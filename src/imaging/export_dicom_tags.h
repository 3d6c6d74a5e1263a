// SPDX-License-Identifier: Apache-2.0
// The attributes of exported DICOM objects besides pixels and place. Private to imaging/.
#pragma once
#include <string>
#include <vector>

#include "imaging/dicom_series.h"
#include "imaging/dicom_values.h"
#include "imaging/export.h"

namespace scintigen {

/// The series that the new one stands beside.
struct ExportSource {
  DicomSeries series;
  DcmFileFormat first;                                         ///< header of its first file
  std::vector<std::pair<std::string, std::string>> instances;  ///< SOP class and instance UIDs
};

/// Sets `value` of a text element. throws Error: a value that DCMTK refuses
void put_dicom(DcmItem& item, const DcmTag& tag, const std::string& value);

/// A number as DS: at most 16 characters, as exact as they allow.
std::string dicom_decimal(double number);

/// Attributes that all objects of the new series share: SOP common, patient, study, series,
/// equipment, frame of reference, general image. Copies from the source what is on the allow-list
/// (docs/file_formats.md); with settings.keep_identity patient and study tags too.
void put_common(DcmItem& object, ExportSource& source, const ExportSettings& settings,
                const std::string& modality, const std::string& series_uid);

/// Modules of PET (PS3.3 A.21) and NM (A.5) that do not depend on the slice.
void put_pet(DcmItem& object, ExportSource& source, const std::string& unit, int64_t slices);
void put_nm(DcmItem& object, ExportSource& source, int64_t slices);

}  // namespace scintigen
