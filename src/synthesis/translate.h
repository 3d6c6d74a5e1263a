// SPDX-License-Identifier: Apache-2.0
// A trained paired translator and whole volumes: volume in, volume out on the same grid.
//   PairedTranslator   the network of a checkpoint, and how it is run
//   translate()        a person's inputs -> pixels in [-1,1] by slices (synthesis/tiling.h)
//   to_counts()        pixels -> the target's unit (cohort/target_profile.h)
//   even_slices()      neighbouring slices of like brightness
// Does not: read or write scans (cli/translate.cpp).
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "cohort/paired_summary.h"
#include "models/unet.h"

namespace scintigen {

/// How the network is run. Defaults: running statistics and no dropout, one answer for one input.
/// Isola et al. 2017, section 3.3: dropout and the batch's own statistics at inference too.
struct Inference {
  bool dropout = false;
  bool batch_statistics = false;
  int64_t samples = 1;  ///< of dropout: mean and SD of so many
  int64_t batch_size = 8;
  uint64_t seed = 1;  ///< of dropout: masks are a function of seed, run, sample and batch
};

class PairedTranslator {
 public:
  /// throws  Error: what read_tensors throws; another method or format; metadata missing or
  /// damaged;
  ///         network settings that do not fit the tensors; dropout of a network trained without
  PairedTranslator(const std::filesystem::path& checkpoint, torch::Device device,
                   torch::ScalarType compute, const Inference& inference);
  /// inputs [B,C,S,S] in [-1,1], CPU -> [B,1,S,S] in (-1,1), CPU. `draw` chooses the dropout.
  torch::Tensor operator()(const torch::Tensor& inputs, uint64_t draw);

  const PairedSettings& data() const { return data_; }
  const PairedSummary& summary() const { return summary_; }
  /// The checkpoint's own: "step", "epoch", "cohort", "network", ... (docs/file_formats.md).
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  PairedSettings data_;
  PairedSummary summary_;
  std::map<std::string, std::string> metadata_;
  UnetGenerator generator_{nullptr};
  torch::Device device_;
};

/// throws  Error: translators of an ensemble that differ in what they take, make or how they cut
void require_alike(const std::vector<PairedTranslator>& ensemble);

struct TranslatedPixels {
  torch::Tensor mean;           ///< float32 [D,H,W] in [-1,1]; -1 where no slice was translated
  torch::Tensor deviation;      ///< SD over samples and translators; undefined of one
  std::vector<int64_t> planes;  ///< that were translated
};

/// The planes of a person to translate: "trained": the `slices` that training would take; "brain":
/// all with brain in them; "all". Ascending.
std::vector<int64_t> planes_to_translate(const PairedPerson& person, const std::string& which);

/// Every translator `samples` times on each slice. Bounded memory: a batch and two volumes.
/// `done` as in run_pieces(); a stopped translation has no planes.
/// Checked tests/synthesis/test_translate.cpp
TranslatedPixels translate(std::vector<PairedTranslator>& ensemble, const PairedPerson& person,
                           const std::vector<int64_t>& planes, const Inference& inference,
                           const std::function<bool(int64_t)>& done = {});

/// value = low_k + (pixel + 1) / 2 (high_k - low_k); planes without a slice become 0, and so does
/// what lies outside `brain` (> 0; undefined: nothing does).
torch::Tensor to_counts(const TranslatedPixels& pixels, const std::vector<PlaneRange>& ranges,
                        const torch::Tensor& brain = {});
/// The deviation likewise: deviation / 2 (high_k - low_k).
torch::Tensor deviation_in_counts(const TranslatedPixels& pixels,
                                  const std::vector<PlaneRange>& ranges,
                                  const torch::Tensor& brain = {});

/// Mean over neighbouring planes of the mean absolute difference of voxels that are `inside` both,
/// as part of the mean inside: how much a volume flickers from slice to slice. A real one has a
/// value of its own, from anatomy and noise: compare.
double neighbour_difference(const torch::Tensor& voxels, const torch::Tensor& inside);

/// Multiplies each plane so that the planes' means inside follow their own Gaussian-weighted mean
/// over `sigma_planes`, in logarithms and weighted by the voxels inside; the sum of the volume
/// stays. Planes without anything inside stay as they are.
void even_slices(torch::Tensor& voxels, const torch::Tensor& inside, double sigma_planes);

}  // namespace scintigen
