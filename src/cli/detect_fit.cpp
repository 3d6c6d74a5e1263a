// SPDX-License-Identifier: Apache-2.0
// scintigen detect fit: controls and trained features -> a detector, a one-class machine at every
// voxel.
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cohort/people_split.h"
#include "core/device.h"
#include "core/error.h"
#include "core/progress.h"
#include "core/run_record.h"
#include "detection/detector.h"
#include "training/checkpoint.h"
#include "training/siamese_recipe.h"

namespace scintigen {
namespace {

constexpr int kInterrupted = 130;

class DetectFit : public Command {
 public:
  void visit(SettingsVisitor& v) override {
    v.visit(positional(required(
                text("cohort", "prepared volumes of controls in one space: prepared/template"))),
            cohort_);
    v.visit(required(text("features", "run folder of `train siamese`")), features_);
    v.visit(required(text("out", "folder of the detector; one that is there is gone on with")),
            out_);
    v.visit(text("leave_out", "people of the cohort who are no controls"), leave_out_);
    v.visit(
        text("synthetic", "controls that are synthetic: warns where they are unlike the others"),
        synthetic_);
    v.visit(text("shard", "i/n: the i-th of n parts of the planes, for job arrays; --merge after"),
            shard_);
    v.visit(flag("merge", "fit nothing; see that all shards are there and finish"), merge_);
    machines_.visit(v);
    device_.visit(v);
  }

  int run(const std::vector<std::string>& command_line) override {
    use_device(device_);
    const auto shard = parse_shard(shard_);
    require(!(merge_ && !shard_.empty()),
            "--merge sees that all shards are there; give it without --shard");
    const auto checkpoint = chosen_checkpoint(features_);
    const auto trained = read_patch_network(checkpoint.string());
    const auto cohort = read_volume_cohort(cohort_);
    std::vector<std::string> nobody;
    const auto people = split_people(cohort, 0, nobody, leave_out_, 0).training;
    const auto controls = read_patch_people(cohort, people, trained.data);
    const auto detector =
        begin_detector(out_, trained.network, controls, trained.data, machines_, cohort);
    std::optional<SyntheticControls> synthetic;
    if (!synthetic_.empty()) synthetic = compare_synthetic(trained.network, controls, synthetic_);
    const std::filesystem::path out(out_);
    // Shards run side by side: each has a record of its own.
    const auto own = shard.count == 1 ? out : out / shard.folder();
    std::filesystem::create_directories(own);
    RunRecord record(own, "detect fit", command_line, *this);
    record.add_input(checkpoint);
    record.add_input(cohort.folder / "volumes.json");
    record.add_input(cohort.folder / "volumes.tsv");
    if (synthetic) {
      for (const auto& warning : synthetic->warnings()) warn(warning);
      record.set("warnings", synthetic->warnings());
      record.set("synthetic", synthetic->json());
    }
    watch_signals();
    if (!merge_)
      say(fmt::format("{} controls, {} voxels in {} planes", people.size(),
                      controls.mask.sum().item<int64_t>(), detector.planes.size()));
    return merge_ ? merge(detector, record) : fit(detector, controls, shard, record);
  }

 private:
  int fit(const Detector& detector, const PatchPeople& controls, const Shard& shard,
          RunRecord& record) {
    const auto begun = std::chrono::steady_clock::now();
    FitOutcome outcome;
    {
      int64_t mine = 0;
      for (size_t p = 0; p < detector.planes.size(); ++p)
        mine += shard.has(static_cast<int64_t>(p));
      Progress progress("detect fit", mine, "plane");
      outcome = fit_detector(detector, controls, machines_, shard, [&] { progress.advance(); });
    }
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    if (outcome.stopped) {
      record.finish("interrupted");
      say("interrupted; the same command goes on where it stopped");
      return kInterrupted;
    }
    record.set("machines", {{"fitted_planes", outcome.fitted},
                            {"kept_planes", outcome.kept},
                            {"voxels", outcome.voxels},
                            {"support_vectors", outcome.supports},
                            {"largest_gap", outcome.largest_gap},
                            {"seconds", seconds}});
    record.finish();
    say(fmt::format(
        "{} planes fitted, {} as they were, {:.1f} support vectors a voxel, {:.1f} s: {}",
        outcome.fitted, outcome.kept,
        outcome.voxels > 0
            ? static_cast<double>(outcome.supports) / static_cast<double>(outcome.voxels)
            : 0.0,
        seconds, out_));
    if (shard.count > 1)
      say(fmt::format("shard {} done; when all are: the same command with --merge", shard_));
    return 0;
  }

  int merge(const Detector& detector, RunRecord& record) const {
    const auto missing = missing_planes(detector);
    require(missing.empty(),
            "{}: {} of {} planes are not fitted, the first is {}; run their shards, then --merge "
            "again",
            out_, missing.size(), detector.planes.size(), missing.empty() ? 0 : missing.front());
    for (const int64_t plane : detector.planes) read_fitted_plane(detector, plane);
    record.finish();
    say(fmt::format("all {} planes are there: {}", detector.planes.size(), out_));
    return 0;
  }

  std::string cohort_, features_, out_, shard_;
  std::vector<std::string> leave_out_, synthetic_;
  bool merge_ = false;
  VoxelMachineSettings machines_;
  DeviceSettings device_;
};

}  // namespace

CommandEntry detect_fit_command() {
  return {
      "detect fit", "Fit a one-class machine at every voxel to the features of controls",
      "Features of the patches around each voxel of all controls (a run of `train siamese`) "
      "become the examples of that voxel's one-class support vector machine (Zotova et al. "
      "2021). Planes are fitted one after the other and kept as files: a fit that was stopped "
      "goes on with the same command; `--shard i/n` fits a part of them, on this or another "
      "machine. With `--folds`, controls are also scored by machines that have not seen them, and "
      "`detect apply` writes standardised scores and p-values. Research software: "
      "not for diagnosis.",
      "scintigen detect fit prepared/template --features features --leave-out sub-P01 --out "
      "detector",
      [] { return std::unique_ptr<Command>(new DetectFit); }};
}

}  // namespace scintigen
