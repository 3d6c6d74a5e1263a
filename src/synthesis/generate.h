// SPDX-License-Identifier: Apache-2.0
// Conditions -> synthetic slices.
#pragma once
#include <torch/types.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "cohort/conditions.h"
#include "models/fastgan.h"

namespace scintigen {

/// A trained generator with what is needed to use it, read from a checkpoint of training/.
/// Eval mode: batch norm by its running statistics, weights already divided by their spectral norm;
/// moving-average weights where the checkpoint has them.
class SliceGenerator {
 public:
  /// throws  Error: what read_tensors throws; a metadata key missing; another method or format;
  /// network settings that do
  ///         not fit the tensors (one missing, left over, of another shape, not finite).
  SliceGenerator(const std::filesystem::path& checkpoint, torch::Device device,
                 torch::ScalarType compute = torch::kFloat, bool average_weights = true);
  const ConditionEncoder& encoder() const { return encoder_; }
  const FastganSettings& settings() const { return settings_; }
  bool averaged() const { return averaged_; }  ///< the weights in use are the moving average
  /// The checkpoint's own: "step", "epoch", "cohort" (JSON), ... (docs/file_formats.md).
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

  /// latents [N,latent], conditions [N,C] -> float32 CPU [N,64,64] in [0,1]; in batches of
  /// `batch_size`. Each image depends on its own latent and condition only, bit for bit, for one
  /// batch size, device and thread count.
  torch::Tensor generate(const torch::Tensor& latents, const torch::Tensor& conditions,
                         int64_t batch_size = 16);
  /// The latents of images first..first+count-1 of a seed: image k is the same however many are
  /// asked for.
  torch::Tensor latents(uint64_t seed, int64_t first, int64_t count) const;

 private:
  FastganSettings settings_;
  std::map<std::string, std::string> metadata_;
  ConditionEncoder encoder_;
  FastganGenerator generator_{nullptr};
  torch::Device device_;
  bool averaged_ = false;
};

/// Great-circle interpolation between latents a and b [latent] at `steps` points, ends included ->
/// [steps, latent]. At least 2 steps. Shoemake 1985; latents are near a sphere, so straight lines
/// leave the training distribution.
torch::Tensor interpolate_latents(const torch::Tensor& a, const torch::Tensor& b, int64_t steps);

}  // namespace scintigen
