// SPDX-License-Identifier: Apache-2.0
// Pixels of DICOM frames as numbers.
#pragma once
#include <vector>

#include "imaging/dicom_header.h"

namespace scintigen {

/// Decodes frames of one file: frame f goes to targets[f] (rows x columns floats, row by row),
/// slope and intercept applied; nullptr leaves it out. Integers of 8, 16 and 32 bits, signed or
/// not, fewer bits stored than allocated (masked and sign-extended, PS3.5 section 8.1.1); float32
/// and float64. throws  Error naming the file: pixels that cannot be decoded Uses    one frame
/// beside the targets
void read_dicom_frames(const DicomImage& image, const std::vector<float*>& targets);

}  // namespace scintigen
