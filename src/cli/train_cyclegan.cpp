// SPDX-License-Identifier: Apache-2.0
// scintigen train cyclegan: prepared volumes -> a run folder with a trained Simple- or Cycle-GAN.
#include "cli/train_volumes.h"
#include "training/cycle_recipe.h"

namespace scintigen {
namespace {

constexpr int64_t kEpochs = 200;  // Zotova 2021, triplets

class TrainCyclegan : public TrainOnVolumes<CycleTraining> {
 public:
  TrainCyclegan()
      : TrainOnVolumes("train cyclegan",
                       "prepared volumes: a space of `scintigen prepare`, prepared/template",
                       make_cycle_recipe, kEpochs) {}

 protected:
  std::vector<std::string> folders() const override {
    auto read = TrainOnVolumes::folders();
    if (!training().target_cohort.empty()) read.push_back(training().target_cohort);
    return read;
  }
};

}  // namespace

CommandEntry train_cyclegan_command() {
  return {
      "train cyclegan",
      "Train a Simple-GAN or Cycle-GAN (T1 to FDG PET) on prepared volumes",
      "Learns to make one modality from another (Zotova et al. 2021: ResNet generators, patch "
      "discriminators, least squares), on triplets of adjacent slices or on cubes of volumes that "
      "`prepare` brought to one grid; with pairs, or with targets of other people "
      "(`--target-cohort`). `recipes/zotova-*.toml` hold the paper's settings. Whole volumes of "
      "the people held out are scored by SSIM, PSNR and RMSE in (-1,1), range 2, and the best is "
      "kept. Pieces are cut by threads of their own; `loader_share` of metrics.csv is the part of "
      "the time that training waited for them. Writes a run folder; Ctrl-C saves and leaves, "
      "`--resume` goes on.",
      "scintigen train cyclegan prepared/template --recipe recipes/zotova-cycle.toml "
      "--weight-mse 10 --out run",
      [] { return std::unique_ptr<Command>(new TrainCyclegan); },
      true};
}

}  // namespace scintigen
