// SPDX-License-Identifier: Apache-2.0
#include "imaging/export.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cctype>
#include <cmath>

#include "core/error.h"
#include "core/nifti.h"
#include "core/run_record.h"
#include "core/volume_io.h"

namespace scintigen {
namespace {

/// Letters and digits only, as BIDS wants labels; "sub-01" gives "01".
std::string label_of(const std::string& text, const std::string& prefix, const std::string& flag) {
  const std::string label = text.rfind(prefix, 0) == 0 ? text.substr(prefix.size()) : text;
  const bool plain = std::all_of(label.begin(), label.end(),
                                 [](unsigned char c) { return std::isalnum(c) != 0 && c < 0x80; });
  require(plain && label.size() <= 40, "--{} is '{}'; expected up to 40 letters and digits", flag,
          text);
  return label;
}

/// Refuses what the format cannot hold, rather than to drop it.
void check_format_holds(const ExportSettings& settings) {
  const struct {
    const char *flag, *formats;
    bool given;
  } options[] = {{"--like", "dicom", !settings.like.empty()},
                 {"--keep-identity", "dicom", settings.keep_identity},
                 {"--seed", "dicom", settings.seed != 0},
                 {"--modality", "dicom or bids", !settings.modality.empty()},
                 {"--participant", "dicom or bids", !settings.participant.empty()},
                 {"--unit", "dicom or bids", !settings.unit.empty()},
                 {"--session", "bids", !settings.session.empty()},
                 {"--tracer", "bids", !settings.tracer.empty()},
                 {"--space", "bids", settings.space != ExportSettings().space},
                 {"--source-dataset", "bids", !settings.source_dataset.empty()}};
  for (const auto& [flag, formats, given] : options)
    require(!given || std::string(formats).find(settings.format) != std::string::npos,
            "{} goes with --format {}; {} holds none: leave it out", flag, formats,
            settings.format);
}

ExportSettings checked(ExportSettings settings) {
  settings.participant = label_of(settings.participant, "sub-", "participant");
  settings.session = label_of(settings.session, "ses-", "session");
  settings.tracer = label_of(settings.tracer, "trc-", "tracer");
  settings.space = label_of(settings.space, "space-", "space");
  check_format_holds(settings);
  require(
      settings.format != "dicom" || !settings.like.empty(),
      "--format dicom needs --like: the folder of the DICOM series that the volume stands beside");
  require(settings.format != "bids" || !settings.participant.empty(),
          "--format bids needs --participant: the label after sub-");
  require(settings.format != "bids" || !settings.modality.empty(),
          "--format bids needs --modality: PT or NM");
  return settings;
}

/// Refuses what no format can hold as it is.
void check_volume(const Volume& volume, const std::string& name) {
  for (int64_t k = 0; k < volume.voxels.size(0); ++k)  // slice by slice: isfinite() makes copies
    require(at::isfinite(volume.voxels[k]).all().item<bool>(),
            "{}: voxels that are not finite; expected finite ones", name);
  const auto size = spacing_mm(volume.voxel_to_world);
  for (size_t a = 0; a < 3; ++a)
    for (size_t b = a + 1; b < 3; ++b) {
      double cosine = 0;
      for (size_t i = 0; i < 3; ++i)
        cosine += volume.voxel_to_world[i][a] * volume.voxel_to_world[i][b];
      require(std::abs(cosine) <= 1e-3 * size[a] * size[b],
              "{}: voxel axes {} and {} are not perpendicular; resample the volume first", name,
              a + 1, b + 1);
    }
}

}  // namespace

void ExportSettings::visit(SettingsVisitor& v) {
  v.visit(required(text("volume", "NIfTI volume to export (.nii or .nii.gz)")), volume);
  v.visit(required(text("out",
                        "nifti: the new file; dicom: the new folder; bids: the derivative "
                        "data set, new or made by this command")),
          out);
  v.visit(choice("format", "what to write", {"nifti", "dicom", "bids"}), format);
  v.visit(text("like",
               "dicom: folder of the series that the volume stands beside; its study and "
               "frame of reference are kept"),
          like);
  v.visit(choice("modality", "PT or NM (dicom: default that of --like)", {"", "PT", "NM"}),
          modality);
  v.visit(flag("synthetic", "the volume was made by a model, not by a scanner: say so everywhere"),
          synthetic);
  v.visit(text("participant",
               "label of the participant, with or without sub-; in DICOM the "
               "patient's name and ID become it"),
          participant);
  v.visit(text("session", "bids: label of the session, with or without ses-"), session);
  v.visit(choice("unit", "unit of the voxels, where known (NIfTI does not say it)",
                 {"", "Bq/mL", "counts", "counts/s", "g/mL", "1"}),
          unit);
  v.visit(text("tracer", "bids: tracer, for trc- and TracerName"), tracer);
  v.visit(text("space", "bids: what space- says: individual, MNI152NLin2009cAsym, ..."), space);
  v.visit(text("source_dataset", "bids: URL or path for SourceDatasets"), source_dataset);
  v.visit(
      flag("keep_identity", "dicom: copy the patient's and the study's tags too (default: none)"),
      keep_identity);
  v.visit(
      number(
          "seed",
          "dicom: makes the new UIDs a function of seed, settings, volume and source; 0 = random",
          0),
      seed);
}

std::string export_description(bool synthetic) {
  return fmt::format("{} by scintigen {}", synthetic ? "synthetic, made" : "derived, written",
                     kVersion);
}

std::vector<std::filesystem::path> export_volume(const ExportSettings& wanted,
                                                 std::vector<std::string>& notes) {
  const auto settings = checked(wanted);
  Volume volume = read_volume(settings.volume, &notes);
  volume.unit = settings.unit;
  check_volume(volume, settings.volume);
  if (settings.format == "dicom") return export_dicom(settings, volume, notes);
  if (settings.format == "bids") return export_bids(settings, volume);
  require(!std::filesystem::exists(settings.out), "{}: is there already; name another file",
          settings.out);
  write_nifti(settings.out, volume, export_description(settings.synthetic));
  return {settings.out};
}

}  // namespace scintigen
