// SPDX-License-Identifier: Apache-2.0
// From a prepared cohort to training batches: order, class balance and augmentation.
// Does: everything as a function of (seed, step), so that any step can be asked for at any time.
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "cohort/conditions.h"
#include "cohort/prepared_cohort.h"
#include "core/settings.h"

namespace scintigen {

/// Werner 2022, "Training process", and what helps few patients. Defaults are the paper's.
struct AugmentSettings {
  bool mix_neighbours = true;  ///< eq. 6: w z1 + (1-w) z2, w ~ U(0,1), z2 the slice above or below
  bool renormalise = false;    ///< divide by the maximum again after mixing
  int64_t shift_ap_px = 2;     ///< anteroposterior shift, whole pixels in [-n, n], zero fill
  int64_t shift_lr_px = 0;     ///< left-right shift likewise (the paper has none)
  std::string flip_where;      ///< rows that may be flipped, as in where(); "" = none, or "all"
  double rotate_deg = 0;       ///< in-plane rotation, uniform in [-d, d]
  double scale_fraction = 0;   ///< in-plane zoom, log-uniform in [1/(1+s), 1+s]
  double warp_px = 0;          ///< standard deviation of a smooth displacement (Gaussian, 12 px)
  double gain_fraction = 0;    ///< of a smooth factor around 1 (Gaussian, 16 px); then renormalised
  void visit(SettingsVisitor& visitor);
};

struct Batch {
  torch::Tensor images;       ///< float32 [B,1,H,W] in [-1,1]
  torch::Tensor conditions;   ///< float32 [B,C]
  std::vector<int64_t> rows;  ///< of the cohort
};

/// Batches without state: batch(step) is the same whenever it is asked for, and on any thread.
/// Checked tests/cohort/test_sampling.cpp, test_augment.cpp
class BatchSampler {
 public:
  /// `balance`: "none" = every slice once an epoch in shuffled order, last incomplete batch dropped
  /// (the paper); "class" = condition combinations equally often; "patient" = patients equally
  /// often within each combination.
  /// throws  Error: a batch larger than the cohort, another balance, flip_where of unknown columns
  BatchSampler(PreparedCohort cohort, ConditionEncoder encoder, int64_t batch_size,
               std::string balance, AugmentSettings augment, uint64_t seed);
  int64_t steps_per_epoch() const;  ///< floor(N / batch)
  Batch batch(int64_t step) const;
  /// Conditions for generated images of that step, drawn like those of the real ones (an
  /// independent draw).
  torch::Tensor conditions(int64_t step) const;
  const PreparedCohort& cohort() const { return cohort_; }
  const ConditionEncoder& encoder() const { return encoder_; }

 private:
  std::vector<int64_t> draw_rows(int64_t step, const char* stream) const;
  PreparedCohort cohort_;
  ConditionEncoder encoder_;
  int64_t batch_size_;
  std::string balance_;
  AugmentSettings augment_;
  uint64_t seed_;
  torch::Tensor encoded_;                                  // [N,C]
  std::vector<bool> may_flip_;                             // [N]
  std::vector<std::vector<std::vector<int64_t>>> strata_;  // class -> patient -> rows
};

/// One slice of the cohort under the augmentation: float32 [H,W] in [0,1].
torch::Tensor augmented_slice(const PreparedCohort& cohort, int64_t row, bool may_flip,
                              const AugmentSettings& settings, uint64_t seed, uint64_t index);
/// The same into memory of H*W floats.
void augment_into(const PreparedCohort& cohort, int64_t row, bool may_flip,
                  const AugmentSettings& settings, uint64_t seed, uint64_t index, float* out);

}  // namespace scintigen
