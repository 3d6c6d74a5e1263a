// SPDX-License-Identifier: Apache-2.0
// scintigen detect apply: a detector and prepared volumes of patients -> score maps and ranked
// clusters.
#include <algorithm>
#include <filesystem>

#include "cli/command.h"
#include "cohort/patch_pairs.h"
#include "core/device.h"
#include "core/error.h"
#include "core/nifti.h"
#include "core/progress.h"
#include "core/run_record.h"
#include "detection/clusters.h"
#include "detection/detector.h"

namespace scintigen {
namespace {

constexpr int kSomeLeftOut = 1;
constexpr size_t kAtOnce = 8;  // people scored with one reading of the machines

class DetectApply : public Command {
 public:
  void visit(SettingsVisitor& v) override {
    v.visit(positional(required(text("cohort", "prepared volumes in the detector's space"))),
            cohort_);
    v.visit(required(text("detector", "folder of `detect fit`")), detector_);
    v.visit(required(text("out", "folder for a folder a person")), out_);
    v.visit(text("participants", "people to score; none named: all"), participants_);
    v.visit(number("clusters", "the threshold of a person leaves at most so many (Zotova 2025: 10)",
                   1, 1e6),
            clusters_);
    v.visit(number("least_ml", "smaller clusters are left out, mL", 0, 1e6), least_ml_);
    device_.visit(v);
  }

  int run(const std::vector<std::string>& command_line) override {
    use_device(device_);
    const auto detector = read_detector(detector_);
    const auto cohort = read_volume_cohort(cohort_);
    if (participants_.empty()) participants_ = cohort.participants();
    RunRecord record(out_, "detect apply", command_line, *this);
    record.add_input(std::filesystem::path(detector_) / "detector.json");
    record.add_input(cohort.folder / "volumes.tsv");
    const auto rounds = (participants_.size() + kAtOnce - 1) / kAtOnce;
    Progress progress("detect apply", static_cast<int64_t>(rounds * detector.planes.size()),
                      "plane");
    int64_t skipped = 0;
    for (size_t first = 0; first < participants_.size(); first += kAtOnce) {
      std::vector<std::string> names;
      std::vector<ScaledScans> scans;
      for (size_t p = first; p < std::min(participants_.size(), first + kAtOnce); ++p) {
        try {
          const auto person = read_patch_people(cohort, {participants_[p]}, detector.patches);
          require(person.grid == detector.grid,
                  "{}: lies on another grid than the detector; prepare with the same --space and "
                  "template",
                  participants_[p]);
          scans.push_back(person.scans[0]);
          names.push_back(participants_[p]);
        } catch (const Error& error) {
          warn(fmt::format("{} is skipped: {}", participants_[p], error.what()));
          ++skipped;
        }
      }
      const auto maps = score_people(detector, scans, [&] { progress.advance(); });
      for (size_t p = 0; p < names.size(); ++p) write(detector, names[p], maps[p]);
    }
    require(skipped < static_cast<int64_t>(participants_.size()), "{}: nobody could be scored",
            cohort_);
    record.finish();
    return skipped > 0 ? kSomeLeftOut : 0;
  }

 private:
  void write(const Detector& detector, const std::string& name, const ScoreMaps& maps) const {
    const auto folder = std::filesystem::path(out_) / name;
    std::filesystem::create_directories(folder);
    const auto& ranked = maps.z.defined() ? maps.z : maps.score;
    const auto volume = [&](const torch::Tensor& voxels) {
      return Volume{voxels, detector.grid.voxel_to_world, "1"};
    };
    const auto write_map = [&](const torch::Tensor& voxels, const char* what) {
      write_nifti(folder / fmt::format("{}_{}.nii.gz", name, what), volume(voxels),
                  "one-class score; not for diagnosis");
    };
    write_map(maps.score, "score");
    if (maps.z.defined()) write_map(maps.z, "z");
    ClusterRule rule;
    rule.direction = Direction::kBelow;
    rule.threshold = 0;
    rule.least_ml = least_ml_;
    rule.threshold = threshold_for_at_most(volume(ranked), rule, clusters_, maps.mask);
    const auto found = find_clusters(volume(ranked), rule, maps.mask);
    write_map(found.labels.to(torch::kFloat), "clusters");
    write_table(folder / fmt::format("{}_clusters.tsv", name), cluster_table({&found}));
    say(fmt::format("{}: {} clusters at {} {:.4g} and below", name, found.found.size(),
                    maps.z.defined() ? "z" : "score", rule.threshold));
  }

  std::string cohort_, detector_, out_;
  std::vector<std::string> participants_;
  int64_t clusters_ = 10;
  double least_ml_ = 0;
  DeviceSettings device_;
};

}  // namespace

CommandEntry detect_apply_command() {
  return {
      "detect apply", "Score people's scans with a detector: maps and ranked clusters",
      "Writes for each person `ID_score.nii.gz` (the decision of each voxel's machine; negative "
      "is outside what controls are), `ID_z.nii.gz` where the detector was fitted with "
      "`--folds`, `ID_clusters.nii.gz` and `ID_clusters.tsv`: at most `--clusters` clusters of "
      "26 neighbours, ranked by size and mean score. The scans must be prepared as the controls "
      "were: same space, grid and scaling. Research software: not for diagnosis.",
      "scintigen detect apply prepared/template --detector detector --participants sub-P01 "
      "--out found",
      [] { return std::unique_ptr<Command>(new DetectApply); }};
}

}  // namespace scintigen
