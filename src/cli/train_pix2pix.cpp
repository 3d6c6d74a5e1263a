// SPDX-License-Identifier: Apache-2.0
// scintigen train pix2pix: prepared volumes -> a run folder with a trained translator.
#include "cli/train_volumes.h"
#include "training/pix2pix_recipe.h"

namespace scintigen {

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
      [] {
        return std::unique_ptr<Command>(new TrainOnVolumes<Pix2pixTraining>(
            "train pix2pix", "prepared volumes: a space of `scintigen prepare`, prepared/native",
            make_pix2pix_recipe, LoopSettings().epochs));
      },
      true};
}

}  // namespace scintigen
