// SPDX-License-Identifier: Apache-2.0
// A trained paired translator and whole volumes: volume in, volume out on the same grid.
//   PairedTranslator   the network of a checkpoint, and how it is run
//   translate()        a person's inputs -> pixels in [-1,1] by pieces (synthesis/tiling.h)
//   to_counts()        pixels -> the target's unit (cohort/target_profile.h)
//   even_slices()      neighbouring slices of like brightness
// Does not: read or write scans (cli/translate.cpp).
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cohort/paired_summary.h"
#include "synthesis/tiling.h"
#include "synthesis/translator_network.h"

namespace scintigen {

class PairedTranslator {
 public:
  /// throws  Error: what read_tensors throws; another method or format; metadata missing or
  /// damaged;
  ///         network settings that do not fit the tensors; dropout of a network trained without
  PairedTranslator(const std::filesystem::path& checkpoint, torch::Device device,
                   torch::ScalarType compute, const Inference& inference);
  /// pieces [B,C,...] in [-1,1], CPU -> [B,O,...] in (-1,1), CPU. `draw` chooses the dropout.
  torch::Tensor operator()(const torch::Tensor& pieces, uint64_t draw) {
    return network_.forward(pieces, draw);
  }

  const std::string& method() const { return network_.method; }
  const PairedSettings& data() const { return network_.data; }
  const PieceSettings& pieces() const { return network_.pieces; }
  const PairedSummary& summary() const { return summary_; }
  /// The checkpoint's own: "step", "epoch", "cohort", "network", ... (docs/file_formats.md).
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  TranslatorNetwork network_;
  PairedSummary summary_;
  std::map<std::string, std::string> metadata_;
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

/// The pieces of a person's inputs that a network takes. Triplets go from the first of `planes` to
/// the last; patches cover the volume whatever the planes.
std::unique_ptr<VolumeTiling> make_tiling(const PairedPerson& person, const PairedSettings& data,
                                          const PieceSettings& pieces,
                                          const std::vector<int64_t>& planes, Overlap overlap,
                                          int64_t outputs);

/// What a baseline (kBaselineNames) makes of a person's planes, [D,H,W] in [-1,1].
torch::Tensor predict_volume(const PairedBaselines& baselines, const std::string& name,
                             const PairedPerson& person, const std::vector<int64_t>& planes,
                             int64_t side);

/// Every translator `samples` times on each piece. Bounded memory: a batch and two volumes.
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
