// SPDX-License-Identifier: Apache-2.0
// scintigen siscom: an ictal and an interictal SPECT -> what the seizure lit up.
#include <filesystem>

#include "cli/command.h"
#include "cli/siscom_output.h"
#include "core/device.h"
#include "core/error.h"
#include "core/progress.h"
#include "core/run_record.h"

namespace scintigen {
namespace {

constexpr int kLeftOut = 1;

/// An empty or new folder, or one that siscom wrote.
void check_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  require(!error && std::filesystem::is_directory(folder), "--out {}: cannot be made: {}",
          folder.string(), error ? error.message() : "it is a file");
  require(std::filesystem::is_empty(folder) || std::filesystem::exists(folder / "siscom.log"),
          "--out {}: holds files that siscom did not write; give an empty or new folder",
          folder.string());
}

class SiscomCommand : public Command {
 public:
  void visit(SettingsVisitor& v) override { settings_.visit(v); }

  int run(const std::vector<std::string>& command_line) override {
    settings_.check();
    DeviceSettings processor;
    processor.device = "cpu";
    processor.threads = settings_.threads;
    use_device(processor);
    const std::filesystem::path out(settings_.out);
    check_folder(out);
    sweep(out);
    log_to(out / "siscom.log");
    RunRecord record(out, "siscom", command_line, *this);
    const auto result = siscom(settings_);
    add_inputs(record, result);
    for (const auto& warning : result.warnings) warn(warning);
    write_siscom(settings_, result);
    record.set("figures", siscom_figures(result));
    record.finish();
    if (!result.left_out.empty()) {
      say(fmt::format("nothing subtracted: {}; look at the scans; --keep-doubtful goes on",
                      result.left_out));
      return kLeftOut;
    }
    for (const auto& made : result.made) {
      const auto& found = made.mri.above.found;
      say(found.empty()
              ? fmt::format("{}: no increase of at least {} ml", made.name, settings_.least_ml)
              : fmt::format(
                    "{}: first of {} increases: {:.1f} ml, peak z {:.2f} at {:.0f}, {:.0f}, "
                    "{:.0f} mm {}",
                    made.name, found.size(), found.front().volume_ml, found.front().peak,
                    found.front().peak_mm[0], found.front().peak_mm[1], found.front().peak_mm[2],
                    found.front().region));
    }
    say("look at " + (out / "report.html").string());
    return 0;
  }

 private:
  /// What an earlier run left would be taken for this one's.
  static void sweep(const std::filesystem::path& out) {
    for (const auto& entry : std::filesystem::directory_iterator(out)) {
      const auto name = entry.path().filename().string();
      for (const char* own : {"overlay_", "clusters", "normal_clusters", "space-"})
        if (name.rfind(own, 0) == 0) std::filesystem::remove(entry.path());
    }
  }

  void add_inputs(RunRecord& record, const SiscomResult& result) const {
    std::error_code error;
    for (const auto& file : {settings_.ictal, settings_.interictal, settings_.synthetic_interictal,
                             settings_.mri, settings_.brain_mask, settings_.reference_mask,
                             settings_.normal_sd, settings_.normal_mean})
      if (!file.empty() && std::filesystem::is_regular_file(file, error)) record.add_input(file);
    // Names of DICOM files may be patients': their bytes are enough.
    if (!result.dicom_hashes.empty()) record.set("dicom_sha256", result.dicom_hashes);
  }

  SiscomSettings settings_;
};

}  // namespace

CommandEntry siscom_command() {
  return {
      "siscom", "Ictal minus interictal SPECT on the MRI: what a seizure lit up",
      "Registers the interictal to the ictal SPECT and both to the T1 (rigid), finds the brain, "
      "makes the counts equal, subtracts, divides by the SD of the difference in the brain, and "
      "lists the clusters beyond the threshold with size, peak, place and region. Writes maps in "
      "the MRI's and in the ictal scan's space, tables, pictures on three planes and "
      "`report.html`. The interictal scan may be real, synthetic, or both: then it says how alike "
      "the maps are. With `--normal-sd` it compares with healthy people's differences, as ISAS "
      "does. A registration that is doubtful is not used: exit status 1; `--keep-doubtful` goes "
      "on. Research software: not for diagnosis.",
      "scintigen siscom --ictal ictal.nii.gz --interictal interictal.nii.gz --mri t1.nii.gz "
      "--out siscom",
      [] { return std::unique_ptr<Command>(new SiscomCommand); }};
}

}  // namespace scintigen
