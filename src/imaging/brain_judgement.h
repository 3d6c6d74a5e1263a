// SPDX-License-Identifier: Apache-2.0
// Whether a mask may be a brain.
#pragma once
#include <string>

#include "imaging/brain_extraction.h"
#include "imaging/brain_surface.h"

namespace scintigen {

constexpr double kLeastBrainMl = 500, kMostBrainMl = 2400;

double volume_ml(const torch::Tensor& mask, const Affine& voxel_to_world);

/// Marks as doubtful, with the first reason; later ones do not replace it.
void doubt(BrainMask& mask, const std::string& why);

/// Fills volume_ml; doubtful where that is senseless or where over 400 mm2 of the mask lie
/// within 4 mm of a face of the volume.
void judge_size(BrainMask& mask);

/// Doubtful where the surface cuts itself, or where `head` is not clearly brighter just inside it
/// than just outside.
void judge_surface(BrainMask& mask, const BrainSurface& surface, const HeadImage& head);

}  // namespace scintigen
