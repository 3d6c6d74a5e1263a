// SPDX-License-Identifier: Apache-2.0
// A head without its coil's bias field, as far as the brain shows it.
#pragma once
#include <torch/types.h>

#include "imaging/head_image.h"

namespace scintigen {

/// Divides what lies above `low` by the smooth local brightness of the brain (1 = its mean),
/// estimated where `inside` (kBool, the head's grid) and brighter than fluid, over about 30 mm, and
/// fading to 1 away from it. The range is that of before.
/// Checked tests/imaging/test_brain_extraction.cpp: a strong bias field costs nothing
void even_out(HeadImage& head, const torch::Tensor& inside);

}  // namespace scintigen
