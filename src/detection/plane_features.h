// SPDX-License-Identifier: Apache-2.0
// Feature maps of an axial plane, and what is read from them at a voxel.
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <vector>

#include "cohort/scaled_scans.h"
#include "models/dense_patches.h"

namespace scintigen {

/// The dense encoder's map of plane `plane` of each person, float32 [H+3,W+3,16], on all threads.
/// Outside the volume the image is 0, so that every voxel has a patch around it.
std::vector<torch::Tensor> plane_maps(const DensePatchEncoder& encoder,
                                      const std::vector<ScaledScans>& people, int64_t plane);

/// The 64 latents of the patch around voxel (row, column): four places of the map, 16 channels
/// each.
void latent_of_map(const float* map, int64_t map_width, int64_t row, int64_t column, float* latent);

/// Rounds values >= 0 to what float16 holds (to within 3e-8 below 6e-5).
void round_to_half(float* values, int64_t count);

/// sum a_i exp(-gamma |z_i - z|^2) - rho, z_i the 64 values >= 0 of row i as float16.
float decide_by_halves(const uint16_t* vectors, const float* coefficients, int64_t count,
                       const float* latent, float gamma, float rho);

}  // namespace scintigen
