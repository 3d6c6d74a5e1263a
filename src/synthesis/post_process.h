// SPDX-License-Identifier: Apache-2.0
// What is done to a translated volume before its pixels become counts.
// Source  Zotova et al. 2021, section 3.2 (Gaussian of 1.5 mm against borders of pieces) and its
//         discussion, which names matching of histograms and of the global intensity; the same
//         group's later paper (2025) has the first of these.
// Checked tests/synthesis/test_post_process.cpp
#pragma once
#include <torch/types.h>

#include <array>
#include <string>
#include <vector>

namespace scintigen {

constexpr double kPaperSmoothing_mm = 1.5;  ///< FWHM (Zotova 2021: best of 0 to 3)

/// Gaussian of `fwhm_mm` over the `planes` of pixels [D,H,W] in [-1,1], in place; the others, which
/// hold nothing, stay and are not mixed in. -1, the background, beyond a plane. 0: nothing.
void smooth_pixels(torch::Tensor& pixels, const std::vector<int64_t>& planes,
                   const std::array<double, 3>& spacing_mm, double fwhm_mm);

/// Pixels `inside` (> 0) in place, by what training people's targets were like (`quantiles` of
/// TargetProfile). how: "mean" multiplies what they are above -1 so that their mean is the
/// training's; "histogram" moves each to the training's value of its rank, linear between
/// quantiles; "none".
/// throws  Error: as require_match()
void match_pixels(torch::Tensor& pixels, const torch::Tensor& inside,
                  const std::vector<double>& quantiles, const std::string& how);

/// Whether match_pixels() will be possible, before anything is computed.
/// throws  Error: no quantiles (targets scaled by slice, or a checkpoint of an earlier scintigen)
void require_match(const std::vector<double>& quantiles, const std::string& how);

}  // namespace scintigen
