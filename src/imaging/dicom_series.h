// SPDX-License-Identifier: Apache-2.0
// Scans out of DICOM folders, through DCMTK.
// Does: find the series of a folder; MR, PET (rescale slope per slice), NM (multi-frame, signed
//       spacing between slices, one or two detectors, slope per frame), enhanced multi-frame;
//       compressed syntaxes that DCMTK decodes (RLE, JPEG, JPEG lossless, JPEG-LS).
// Does not: keep who the patient is (only what DicomTechnical lists leaves this room); average
//       dynamic series; read raw projections, CT, RGB or localisers.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/volume.h"

namespace scintigen {

/// What may leave a DICOM file besides voxels: an allow-list. Nothing in it names a person, a place
/// or a day.
struct DicomTechnical {
  std::string modality;  ///< MR, PT, NM
  std::string tracer;    ///< radiopharmaceutical code meaning, if it is one of a known list
  std::string radionuclide;
  std::string units;         ///< (0054,1001), as it stands: BQML, CNTS, ...
  std::string manufacturer;  ///< one of a known list, else ""
  double slice_thickness_mm = 0;
  double echo_time_ms = 0, repetition_time_ms = 0, inversion_time_ms = 0;  ///< MR; 0 = not given
};

/// One series as found in a folder: files sorted along the slice normal.
struct DicomSeries {
  std::vector<std::filesystem::path> files;  ///< one multi-frame file, or one file a slice
  /// SHA-256 of issuer and patient's ID (of the study's UID where there is no ID): tells patients
  /// apart, never shown. Empty: neither is there, the file does not say whose it is.
  std::string patient_key;
  std::string study_uid, series_uid, frame_of_reference_uid;
  DicomTechnical technical;
  int64_t slices = 0;   ///< of the volume; 0 where it is refused
  std::string refusal;  ///< not empty: why it cannot be used ("raw projections (TOMO) ...")
};

/// Every series below `folder` (recursive), in an order that does not depend on file names or the
/// file system. Files that are not DICOM are counted in `ignored`.
std::vector<DicomSeries> find_dicom_series(const std::filesystem::path& folder, int64_t* ignored);

/// Reads one series as float32, slope and intercept of each slice or frame applied. k runs along
/// the slice normal as stored or sorted; positions in RAS mm. What is usable but strange goes to
/// `notes`. throws  Error: the series' refusal; a gap or a slice twice; slices of different size,
/// orientation
///         or spacing; more claimed than the file holds (before it is allocated); no pixel data; a
///         transfer syntax that cannot be decoded (named); a dynamic series
/// Checked tests/imaging/test_dicom_series.cpp
Volume read_dicom_series(const DicomSeries& series, std::vector<std::string>* notes = nullptr);

}  // namespace scintigen
