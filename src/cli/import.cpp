// SPDX-License-Identifier: Apache-2.0
// scintigen import: NIfTI volumes and a slice table -> a prepared cohort.
#include "imaging/import.h"

#include <filesystem>
#include <set>
#include <system_error>

#include "cli/command.h"
#include "core/atomic_file.h"
#include "core/error.h"
#include "core/progress.h"
#include "core/run_record.h"

namespace scintigen {
namespace {

constexpr int kSomeSkipped = 1;

class ImportCommand : public Command {
 public:
  void visit(SettingsVisitor& v) override { settings_.visit(v); }

  int run(const std::vector<std::string>& command_line) override {
    if (settings_.name.empty()) {
      const auto folder = std::filesystem::path(settings_.out).lexically_normal();
      settings_.name = folder.has_filename() ? folder.filename().string()
                                             : folder.parent_path().filename().string();
    }
    const auto plan = plan_import(settings_);
    check_import_folder(settings_);
    const std::filesystem::path folder(settings_.out);
    sweep_temporary_files(folder);
    RunRecord record(folder, "import", command_line, *this);
    log_to(folder / "import.log");
    record.add_input(settings_.table);
    int64_t volumes = 0;
    for (const auto& volume : plan.volumes) {
      if (volume.rows.empty()) continue;
      ++volumes;
      std::error_code unused;
      if (std::filesystem::is_regular_file(volume.path, unused)) record.add_input(volume.path);
    }
    ImportResult result;
    if (volumes > 1) {
      Progress progress("import", volumes, "volume");
      result = import_slices(plan, [&](const std::string& file) { progress.advance(1, file); });
    } else {
      result = import_slices(plan);
    }
    if (result.cohort.size() > 0) tell(result);
    write_import(plan, result);
    for (const auto& line : describe_import(result)) say(line);
    const auto skipped = result.skipped.rows.size();
    record.set("slices", result.cohort.size());
    record.set("skipped", skipped);
    record.finish();
    if (skipped > 0) {
      say(fmt::format("{} of {} rows skipped, see {}", skipped,
                      skipped + static_cast<size_t>(result.cohort.size()),
                      (folder / "skipped.tsv").string()));
      return kSomeSkipped;
    }
    return 0;
  }

 private:
  static void tell(const ImportResult& result) {
    for (const auto& note : result.notes) warn(note);
    std::set<std::string> told;  // a bad volume has one reason for all its rows
    for (const auto& row : result.skipped.rows) {
      if (told.insert(row[3]).second) warn("skipped: " + row[3]);
    }
  }

  ImportSettings settings_;
};

}  // namespace

CommandEntry import_command() {
  return {"import", "NIfTI volumes and a slice table to a prepared cohort",
          "Reads a table with one row a slice (`participant_id`, `slice`, any condition columns), "
          "takes those axial "
          "slices and the ones next to them out of the volumes, and writes a prepared cohort: a "
          "folder that `train` and "
          "any other program can read (docs/file_formats.md). `slice` counts from 0 along the "
          "file's third axis. Each "
          "slice is resampled to the matrix by area, keeping its aspect, and divided by its own "
          "maximum. A volume or slice "
          "that cannot be used is skipped and listed in `skipped.tsv`; the exit status is then 1.",
          "scintigen import --table slices.tsv --volumes "
          "\"{participant_id}/{participant_id}_spect.nii.gz\" "
          "--where level=cerebellum,basal_ganglia,cortex --out cohort",
          [] { return std::unique_ptr<Command>(new ImportCommand); }};
}

}  // namespace scintigen
