// SPDX-License-Identifier: Apache-2.0
#include "cli/translate_settings.h"

#include <filesystem>

#include "core/error.h"

namespace scintigen {

void TranslateSettings::visit(SettingsVisitor& v) {
  v.visit(text("run",
               "run folder: the checkpoint `scintigen select` chose, else best, else newest; "
               "several, comma between them: their mean, and their SD as a map"),
          run);
  v.visit(text("checkpoint", "this checkpoint file instead of --run"), checkpoint);
  v.visit(number("step", "the run's checkpoint of this step; 0 = as --run says", 0, 1e12), step);
  v.visit(text("cohort", "prepared volumes: a space of `scintigen prepare`"), cohort);
  v.visit(text("participants", "people of --cohort; default: those that no run was trained on"),
          participants);
  v.visit(text("session", "of --cohort, where modalities have several; default: the run's"),
          session);
  v.visit(text("input",
               "instead of --cohort: NIfTI files on one grid, one for each modality of the "
               "run in its order"),
          input);
  v.visit(text("mask", "with --input: brain mask on the same grid"), mask);
  v.visit(required(text("out", "folder to make: must not exist or be empty")), out);
  v.visit(
      choice("counts",
             "way back from slices scaled to (-1,1): profile = the training people's brightness "
             "by place in the brain; input = the same, corrected by the input's; none = each "
             "slice in [0,1]",
             {"profile", "input", "none"}),
      counts);
  v.visit(number("level",
                 "of the counts, in the target's unit: geometric mean of the slices' "
                 "maxima; 0 = the training people's median",
                 0, 1e12),
          level);
  v.visit(number("brain_mean", "mean in the brain that the volume is brought to instead; 0 = off",
                 0, 1e12),
          brain_mean);
  v.visit(choice("planes",
                 "which to translate: brain = all that hold brain; trained = as many as training "
                 "took; all",
                 {"brain", "trained", "all"}),
          planes);
  v.visit(number("even_slices",
                 "brightness of neighbouring slices is evened over so many planes (SD of a "
                 "Gaussian); 0 = off",
                 0, 100),
          even_slices);
  v.visit(flag("stacked",
               "triplets one after the other, of cubes the middle (Zotova 2021); default: pieces "
               "overlap and are averaged, a triplet at every slice (three times the work), cubes "
               "under a "
               "Hann window"),
          stacked);
  v.visit(number("smooth_mm",
                 "FWHM of a Gaussian over the translated volume, mm (Zotova 2021: 1.5); -1 = 1.5 "
                 "for cyclegan, 0 for pix2pix",
                 -1, 20),
          smooth_mm);
  v.visit(choice("match",
                 "brain of the translated volume to the training targets' mean histogram, or to "
                 "their mean; none",
                 {"none", "histogram", "mean"}),
          match);
  v.visit(flag("dropout", "keep dropout at inference (Isola 2017 does)"), dropout);
  v.visit(flag("batch_statistics",
               "normalise by the statistics of the slices translated together (Isola 2017 does, "
               "with batches of 1)"),
          batch_statistics);
  v.visit(number("samples", "of dropout: their mean is written, and their SD as a map", 1, 1000),
          samples);
  v.visit(number("batch_size", "slices translated together", 1, 256), batch_size);
  v.visit(number("seed", "of dropout", 0, 9e15), seed);
  v.visit(flag("score", "compare with the real target of --cohort, and with three baselines"),
          score);
  v.visit(flag("prepared",
               "with --cohort: the folder is itself a prepared cohort of the translated volumes "
               "(not compressed, masks beside them), for `train`, `detect fit` and so on"),
          prepared);
  device.visit(v);
}

void TranslateSettings::check() const {
  require(run.empty() != checkpoint.empty(),
          "translate: {}; give --run FOLDER or --checkpoint FILE",
          run.empty() ? "no translator was named" : "both --run and --checkpoint were given");
  require(step == 0 || !run.empty(), "translate: --step chooses a checkpoint of --run");
  require(cohort.empty() != input.empty(), "translate: {}; give --cohort FOLDER or --input FILE",
          cohort.empty() ? "nothing to translate" : "both --cohort and --input were given");
  require(cohort.empty() ? participants.empty() && session.empty() : mask.empty(),
          "translate: --participants and --session choose people of --cohort; --mask goes with "
          "--input");
  require(!score || !cohort.empty(), "translate: --score needs a --cohort that has the target");
  require(counts != "none" || (level == 0 && brain_mean == 0),
          "translate: --counts none has no unit; leave --level and --brain-mean out");
  require(level == 0 || brain_mean == 0, "translate: --level and --brain-mean exclude each other");
  const std::filesystem::path folder(out);
  require(!std::filesystem::exists(folder) ||
              (std::filesystem::is_directory(folder) && std::filesystem::is_empty(folder)),
          "{}: exists already; nothing is overwritten; name another --out or remove it", out);
  require(!prepared || !cohort.empty(),
          "--prepared: a cohort is made of the people of one; give --cohort, or leave it out");
}

}  // namespace scintigen
