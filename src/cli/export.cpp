// SPDX-License-Identifier: Apache-2.0
// scintigen export: a volume -> NIfTI, DICOM beside its source, or BIDS derivatives.
#include "imaging/export.h"

#include "cli/command.h"
#include "core/progress.h"

namespace scintigen {
namespace {

class ExportCommand : public Command {
 public:
  void visit(SettingsVisitor& v) override { settings_.visit(v); }

  int run(const std::vector<std::string>&) override {
    std::vector<std::string> notes;
    const auto files = export_volume(settings_, notes);
    for (const auto& note : notes) warn(note);
    if (files.size() > 8)
      say(fmt::format("wrote {} files to {}", files.size(), settings_.out));
    else
      for (const auto& file : files) say("wrote " + file.string());
    return 0;
  }

 private:
  ExportSettings settings_;
};

}  // namespace

CommandEntry export_command() {
  return {
      "export", "a volume to NIfTI, to DICOM beside its source, or to BIDS derivatives",
      "Writes a volume (synthetic or derived) for other programs, on its own grid and with its own "
      "quantities. `--format dicom` makes new objects (PET: a file a slice, each with its slope; "
      "NM: "
      "one multi-frame file) in the study and frame of reference of the series in `--like`, with "
      "new "
      "UIDs, `DERIVED`, the source images, and with `--synthetic` (0008,001C) Synthetic Data = "
      "YES. "
      "Only tags of an allow-list are copied (docs/file_formats.md): no name, date, ID or free "
      "text of "
      "the patient goes anywhere without `--keep-identity`. Nothing is overwritten.",
      "scintigen export --volume synthetic_pet.nii.gz --format dicom --like source_pet "
      "--synthetic --unit Bq/mL --participant 01 --out synthetic_pet",
      [] { return std::unique_ptr<Command>(new ExportCommand); }};
}

}  // namespace scintigen
