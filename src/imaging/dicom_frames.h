// SPDX-License-Identifier: Apache-2.0
// Place and scale of every frame of a DICOM data set. Private to imaging/.
#pragma once
#include <cstdint>

#include "imaging/dicom_header.h"

class DcmItem;

namespace scintigen {

/// Fills image.frames (as many as `frames`), is_whole_volume, unit and notes.
/// Classic slices: PS3.3 C.7.6.2 (Image Plane). NM multi-frame: C.8.4.11 (NM Detector), C.8.4.15
/// (NM Reconstruction). Enhanced: C.7.6.16 (functional groups). throws  Error, without the file's
/// name: a place that is missing, not finite or no plane
void describe_frames(DcmItem& data_set, int64_t frames, DicomImage& image);

}  // namespace scintigen
