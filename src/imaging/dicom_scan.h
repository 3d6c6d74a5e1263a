// SPDX-License-Identifier: Apache-2.0
// The structure of a DICOM file, judged before any parser builds a tree of it.
// Does: tell DICOM from other files; hold every length against the file; bound the depth of
//       sequences and the number of elements; find the pixel data and what kind they are.
// Does not: read values but the two UIDs that place a broken file in its series.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>

namespace scintigen {

constexpr int kDicomDepth = 32;  ///< sequences within sequences; real files have under 10
constexpr int64_t kDicomElements = 4000000;  ///< of one file, fragments of pixel data among them

struct DicomScan {
  bool is_dicom = false;
  std::string problem;  ///< not empty: why the file cannot be used, without its name
  std::string transfer_syntax_uid;
  std::string sop_class_uid, series_uid;  ///< as far as the file could be walked
  int pixel_element = 0;                  ///< 0x0010, 0x0008 (float), 0x0009 (double); 0 = none
  int64_t pixel_bytes = 0;                ///< of native pixel data, or of all fragments
  int64_t fragments = -1;                 ///< of compressed pixel data, offset table not counted
  /// What the first fragment of a JPEG or JPEG-LS stream says of itself; 0 = not said.
  int coded_rows = 0, coded_columns = 0, coded_bits = 0;
};

/// Walks the elements of `path` (PS3.5 section 7) by their lengths. A file without the "DICM" mark
/// is DICOM only if it walks to its end as a data set with a SOP Class UID.
/// throws  Error: cannot be opened or read
/// Uses    under 1 MiB; time in proportion to the number of elements
/// Checked tests/imaging/test_dicom_malformed.cpp
DicomScan scan_dicom(const std::filesystem::path& path);

}  // namespace scintigen
