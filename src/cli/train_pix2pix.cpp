// SPDX-License-Identifier: Apache-2.0
// scintigen train pix2pix: prepared volumes -> a run folder with a trained translator.
#include <filesystem>

#include "cli/command.h"
#include "cli/train_run.h"
#include "core/progress.h"
#include "training/pix2pix_recipe.h"

namespace scintigen {
namespace {

class TrainPix2pix : public Command {
 public:
  void visit(SettingsVisitor& v) override {
    v.visit(positional(required(text(
                "cohort", "prepared volumes: a space of `scintigen prepare`, prepared/native"))),
            cohort_);
    loop_.visit(v);
    training_.visit(v);
    device_.visit(v);
  }

  int run(const std::vector<std::string>& command_line) override {
    watch_signals();
    const auto recipe =
        make_pix2pix_recipe(cohort_, training_, device_, static_cast<uint64_t>(loop_.seed));
    const std::filesystem::path folder(cohort_);
    return run_training(*recipe, loop_, device_, *this, "train pix2pix", command_line,
                        {folder / "volumes.json", folder / "volumes.tsv"});
  }

 private:
  std::string cohort_;
  LoopSettings loop_;
  Pix2pixTraining training_;
  DeviceSettings device_;
};

}  // namespace

CommandEntry train_pix2pix_command() {
  return {
      "train pix2pix",
      "Train the paired translator (MRI, PET or both to SPECT) on prepared volumes",
      "Learns to make the axial slices of one modality from those of others (Isola et al. 2017; "
      "U-Net and patch discriminator), on volumes that `prepare` brought to one grid. Defaults "
      "are Isola's; `recipes/pix2pix-spect.toml` holds the SPECT paper's. The people held out "
      "are scored by SSIM, PSNR and RMSE on slices scaled to (-1,1), range 2. Writes a run "
      "folder; Ctrl-C saves and leaves, `--resume` goes on.",
      "scintigen train pix2pix prepared/native --inputs T1w,pet --target spect "
      "--session ses-interictal --recipe recipes/pix2pix-spect.toml --out run",
      [] { return std::unique_ptr<Command>(new TrainPix2pix); },
      true};
}

}  // namespace scintigen
