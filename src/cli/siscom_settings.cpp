// SPDX-License-Identifier: Apache-2.0
#include "cli/siscom_work.h"
#include "core/error.h"

namespace scintigen {

void SiscomSettings::visit(SettingsVisitor& v) {
  v.visit(required(text("ictal",
                        "SPECT injected in the seizure: NIfTI, or a folder with one DICOM "
                        "series")),
          ictal);
  v.visit(text("interictal", "SPECT between seizures: NIfTI or DICOM folder"), interictal);
  v.visit(text("synthetic_interictal",
               "interictal SPECT made by a model (scintigen translate): alone, or beside a real "
               "one to compare"),
          synthetic_interictal);
  v.visit(required(text("mri", "T1 of the same person: NIfTI or DICOM folder")), mri);
  v.visit(required(text("out", "folder for the results; new, or one that siscom made")), out);
  v.visit(choice("synthetic_space",
                 "where the synthetic scan lies: mri (as translate writes it: not registered), own "
                 "(registered like a real one)",
                 {"mri", "own"}),
          synthetic_space);
  v.visit(text("brain_mask", "brain on the MRI's grid (> 0), instead of finding it"), brain_mask);
  v.visit(choice("brain", "how the brain is found: surface (Smith 2002), atlas, auto (the better)",
                 {"auto", "surface", "atlas"}),
          brain);
  v.visit(choice("counts",
                 "what makes the counts of the scans equal: mean of the brain, reference region, "
                 "robust line through all brain voxels",
                 {"mean", "reference", "robust"}),
          counts);
  v.visit(text("reference_mask", "reference region on the MRI's grid (> 0), for counts reference"),
          reference_mask);
  v.visit(text("reference_region",
               "instead: regions of --template-names that begin with this (Cerebelum)"),
          reference_region);
  v.visit(number("smooth_mm", "Gaussian FWHM on both scans before they are subtracted; 0 = none", 0,
                 40),
          smooth_mm);
  v.visit(number("spacing_mm", "voxel edge of the maps in the MRI's space", 1, 8), spacing_mm);
  v.visit(number("threshold", "SD of the difference at which a voxel counts (De Coster 2018: 2)",
                 0.5, 20),
          threshold);
  v.visit(number("least_ml", "smaller clusters are left out", 0, 1000), least_ml);
  v.visit(choice("atlas",
                 "names of regions by registration to the template: auto (where its files "
                 "are there), none",
                 {"auto", "none"}),
          atlas);
  v.visit(text("template_head", "T1 head in MNI space (Debian's mricron-data: Colin 27)"),
          template_head);
  v.visit(text("template_brain", "the same without skull"), template_brain);
  v.visit(text("template_labels", "labels on the same grid (AAL)"), template_labels);
  v.visit(text("template_names", "their names, a line each: '1 Precentral_L'"), template_names);
  v.visit(text("normal_sd",
               "SD of differences (% of mean brain counts) between two scans of healthy people, in "
               "the template's space: compares by voxel, as ISAS does"),
          normal_sd);
  v.visit(text("normal_mean", "mean of the same (default 0)"), normal_mean);
  v.visit(number("normal_people", "people behind them; 0 = SD and mean as known exactly", 0, 1e6),
          normal_people);
  v.visit(
      number("normal_threshold", "t or z at which a voxel counts there (3.09: p 0.001)", 0.5, 50),
      normal_threshold);
  v.visit(number("normal_smooth_mm", "Gaussian FWHM for that comparison (ISAS: 16)", 0, 40),
          normal_smooth_mm);
  v.visit(number("pictures", "clusters shown on three planes", 0, 20), pictures);
  v.visit(flag("dicom", "z as DICOM beside the ictal series, which must be DICOM"), dicom);
  v.visit(flag("keep_doubtful", "go on with a registration that is doubtful"), keep_doubtful);
  v.visit(number("threads", "CPU threads; 0 = all processors this process may use", 0, 1024),
          threads);
}

void SiscomSettings::check() const {
  require(!interictal.empty() || !synthetic_interictal.empty(),
          "nothing to subtract: give --interictal, --synthetic-interictal or both");
  const bool reference = counts == "reference";
  require(!reference || reference_mask.empty() != reference_region.empty(),
          "--counts reference needs --reference-mask or --reference-region, one of them");
  require(reference || (reference_mask.empty() && reference_region.empty()),
          "--reference-mask and --reference-region go with --counts reference");
  require(atlas != "none" || (reference_region.empty() && normal_sd.empty()),
          "--atlas none: --reference-region and --normal-sd need the template");
  require(!normal_sd.empty() || (normal_mean.empty() && normal_people == 0),
          "--normal-mean and --normal-people go with --normal-sd");
  require(normal_people != 1, "--normal-people 1: one person has no SD; expected 2 or more, or 0");
  std::error_code error;
  require(!dicom || std::filesystem::is_directory(ictal, error),
          "--dicom: --ictal {} is no DICOM folder to put the map beside", ictal);
}

}  // namespace scintigen
