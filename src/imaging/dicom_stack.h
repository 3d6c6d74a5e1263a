// SPDX-License-Identifier: Apache-2.0
// Frames of one series in their order along the slice normal.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/grid.h"
#include "imaging/dicom_header.h"

namespace scintigen {

struct DicomStack {
  struct Slice {
    size_t image, frame;  ///< of the images given
  };
  Grid grid;                  ///< RAS mm
  std::vector<Slice> slices;  ///< nk of them, k along row x column
};

/// Sorts every frame of `images` (of one series) by its position along the slice normal and checks
/// that they are one volume. docs/methods.md, "DICOM geometry", has the formulas.
/// throws  Error: an image's refusal; files of several patients, modalities or frames of reference;
///         slices of different size, orientation or pixel spacing; one slice alone; a slice twice;
///         several moments or echoes; a gap; uneven spacing; slices shifted sideways (gantry tilt)
DicomStack stack_dicom(const std::vector<DicomImage>& images, std::vector<std::string>& notes);

}  // namespace scintigen
