// SPDX-License-Identifier: Apache-2.0
// What one DICOM file says about its frames.
// Does: read the header through DCMTK after dicom_scan.h judged the file; place and scale of every
//       frame of MR, PET, NM and enhanced multi-frame files.
// Does not: decode pixels; compare files (dicom_stack.h does); let out anything about the patient
//       but a hash.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/affine.h"
#include "imaging/dicom_scan.h"
#include "imaging/dicom_series.h"

namespace scintigen {

/// One plane of pixels. Positions and directions are DICOM's: LPS+ mm, the centre of the first
/// pixel.
struct DicomFrame {
  Point position{}, row{}, column{};                 ///< row: the way the column number grows
  double row_spacing_mm = 0, column_spacing_mm = 0;  ///< between rows, between columns
  double slope = 1, intercept = 0;                   ///< stored -> value
  std::string moment;  ///< equal texts = one moment and echo; compared, never shown
};

struct DicomImage {
  std::filesystem::path path;
  DicomScan scan;
  std::string refusal;  ///< not empty: why not, with the file's name; the rest may be missing
  std::string patient_key, study_uid, series_uid, frame_of_reference_uid, instance_uid;
  DicomTechnical technical;
  int64_t rows = 0, columns = 0;
  int bits_allocated = 0, bits_stored = 0, high_bit = 0;
  bool is_signed = false;
  bool is_whole_volume = false;  ///< NM multi-frame: one file is one volume
  bool is_dynamic = false;       ///< says that it has several frames in time
  std::string unit;              ///< for Volume::unit
  std::vector<DicomFrame> frames;
  std::vector<std::string> notes;
};

/// Never throws for what is in the file: that is `refusal`.
/// throws  Error: DCMTK's dictionary is missing
DicomImage read_dicom_header(const std::filesystem::path& path, const DicomScan& scan);

}  // namespace scintigen
