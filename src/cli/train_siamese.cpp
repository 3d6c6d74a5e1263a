// SPDX-License-Identifier: Apache-2.0
// scintigen train siamese: prepared volumes of controls -> a run folder with a patch auto-encoder.
#include "cli/train_volumes.h"
#include "training/siamese_recipe.h"

namespace scintigen {
namespace {
constexpr int64_t kEpochs = 30;  // Pinon 2021
}

CommandEntry train_siamese_command() {
  return {
      "train siamese",
      "Train the siamese patch auto-encoder on controls, the features of lesion detection",
      "Learns 64 values that describe a patch of 15 x 15 pixels of an axial plane, alike for "
      "the same place of two healthy people (Zotova et al. 2021, after Alaverdyan et al. 2020). "
      "Trains on controls alone: name patients of the cohort with `--leave-out`. Defaults are "
      "the papers'. Writes a run folder that `detect fit` reads; Ctrl-C saves and leaves, "
      "`--resume` goes on.",
      "scintigen train siamese prepared/template --modalities pet --leave-out sub-P01,sub-P02 "
      "--hold-out 4 --out features",
      [] {
        return std::unique_ptr<Command>(new TrainOnVolumes<SiameseTraining>(
            "train siamese", "prepared volumes of controls in one space: prepared/template",
            make_siamese_recipe, kEpochs));
      },
      true};
}

}  // namespace scintigen
