// SPDX-License-Identifier: Apache-2.0
// A set of synthetic slices: which to make, and the folder they go to.
//   synthetic.nii.gz  [N,64,64] float32, one slice an image: a stack, not a head
//   synthetic.json    says that it is synthetic, how it was made and what it is not for
//   slices.tsv        one row an image; `scintigen import` reads it back
#pragma once
#include <torch/types.h>

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/table.h"
#include "synthesis/generate.h"

namespace scintigen {

/// What to make, one row an image.
struct SyntheticPlan {
  Table
      table;  ///< participant_id, slice, condition columns, training_count, seed, latent, and more
  torch::Tensor latents;                 ///< [N,latent]
  torch::Tensor conditions;              ///< [N,C]
  std::vector<std::string> assignments;  ///< "level=cortex,pattern=normal" of each image
};

/// One SyntheticPlan holds at most this many images: the longest side of a NIfTI-1 volume.
constexpr int64_t kMostImages = 32767;

/// `count` images of each assignment. Image k of the whole set has latent k of `seed`.
/// throws  Error: what ConditionEncoder::encode throws; more than kMostImages.
SyntheticPlan plan_conditions(const SliceGenerator& generator,
                              const std::vector<std::string>& assignments, int64_t count,
                              uint64_t seed);

/// One image for each of these rows of `table`, with the row's conditions; column like_row tells
/// which (line of the file, header = 1). No other column is copied: what was not a condition is not
/// true of the synthetic image.
SyntheticPlan plan_like(const SliceGenerator& generator, const Table& table,
                        const std::vector<int64_t>& rows, uint64_t seed);

/// From latent 0 to latent 1 of `seed` in `steps` images, once for each assignment; column fraction
/// goes from 0 to 1.
SyntheticPlan plan_interpolation(const SliceGenerator& generator,
                                 const std::vector<std::string>& assignments, int64_t steps,
                                 uint64_t seed);

/// The distinct assignments of a plan in order of appearance, each with the indices of its images.
std::vector<std::pair<std::string, std::vector<int64_t>>> by_condition(const SyntheticPlan& plan);

/// Writes the three files. `images` [N,64,64] in [0,1] are multiplied by `scale`. Voxel axes are
/// those of the display (i to the patient's left, j to posterior), `pixel_mm` 0 = not known (1 mm
/// is written and said to be nominal). `provenance` goes into synthetic.json.
void write_synthetic_set(const std::filesystem::path& folder, const SyntheticPlan& plan,
                         const torch::Tensor& images, double scale, double pixel_mm,
                         const nlohmann::ordered_json& provenance);

/// A set as it was written.
struct SyntheticSet {
  Table table;           ///< N rows
  torch::Tensor slices;  ///< float32 [N,H,W], each divided by its maximum; empty slices stay 0
};

/// Reads slices.tsv and synthetic.nii.gz of a folder made by write_synthetic_set().
/// throws  Error: a missing file, as read_volume() and read_table(), another number of rows than
///         slices, voxel axes that are not those of the display, a negative or non-finite voxel
/// Checked tests/synthesis/test_synthetic_set.cpp
SyntheticSet read_synthetic_set(const std::filesystem::path& folder);

}  // namespace scintigen
