// SPDX-License-Identifier: Apache-2.0
// scintigen detect apply: a detector and prepared volumes of patients -> score maps and ranked
// clusters.
#include <algorithm>
#include <cmath>
#include <filesystem>

#include "cli/command.h"
#include "cli/detect_output.h"
#include "cohort/patch_pairs.h"
#include "core/device.h"
#include "core/error.h"
#include "core/progress.h"
#include "core/run_record.h"
#include "detection/detector.h"

namespace scintigen {
namespace {

constexpr int kSomeLeftOut = 1;
constexpr const char* kMethod =
    "One-class support vector machines of controls' patch features at every voxel; below 0 lies "
    "outside what controls are (score), or by so many SD of held-out controls' scores (z).";
constexpr size_t kAtOnce = 8;  // people scored with one reading of the machines
// With a least size, at most n clusters could otherwise be half a brain of mild scores.
constexpr double kUsualP = 0.01;

class DetectApply : public Command {
 public:
  void visit(SettingsVisitor& v) override {
    v.visit(positional(required(text("cohort", "prepared volumes in the detector's space"))),
            cohort_);
    v.visit(required(text("detector", "folder of `detect fit`")), detector_);
    v.visit(required(text("out", "folder for a folder a person")), out_);
    v.visit(text("participants", "people to score; none named: all"), participants_);
    output_.visit(v);
    v.visit(number("p_value",
                   "voxels whose p-value is above are in no cluster; 0: 0.01 where the detector "
                   "has p-values as small; 1: any z below 0",
                   0, 1),
            p_value_);
    device_.visit(v);
  }

  int run(const std::vector<std::string>& command_line) override {
    use_device(device_);
    const auto detector = read_detector(detector_);
    require_complete(detector);
    output_.require_uptake_of(detector.patches.modalities);
    const bool usual = p_value_ == 0;
    if (usual) p_value_ = detector.folds > 0 ? kUsualP : 1;
    require(p_value_ == 1 || detector.folds > 0,
            "--p-value {}: this detector has no p-values; fit it with --folds", p_value_);
    const auto cohort = read_volume_cohort(cohort_);
    require(cohort.template_fit == detector.template_fit,
            "{}: prepared with --template-fit {}, the detector's controls with {}; prepare them "
            "alike",
            cohort_, cohort.template_fit, detector.template_fit);
    if (participants_.empty()) participants_ = cohort.participants();
    RunRecord record(out_, "detect apply", command_line, *this);
    record.add_input(std::filesystem::path(detector_) / "detector.json");
    record.add_input(cohort.folder / "volumes.tsv");
    const DetectionWriter writer(output_, out_, cohort, *this);
    const auto rounds = (participants_.size() + kAtOnce - 1) / kAtOnce;
    Progress progress("detect apply", static_cast<int64_t>(rounds * detector.planes.size()),
                      "plane");
    int64_t skipped = 0;
    for (size_t first = 0; first < participants_.size(); first += kAtOnce) {
      std::vector<std::string> names;
      std::vector<ScaledScans> scans;
      std::vector<torch::Tensor> brains;
      for (size_t p = first; p < std::min(participants_.size(), first + kAtOnce); ++p) {
        try {
          const auto person = read_patch_people(cohort, {participants_[p]}, detector.patches);
          require(person.grid == detector.grid,
                  "{}: lies on another grid than the detector; prepare with the same --space and "
                  "template",
                  participants_[p]);
          scans.push_back(person.scans[0]);
          brains.push_back(own_brain(person));
          names.push_back(participants_[p]);
        } catch (const Error& error) {
          warn(fmt::format("{} is skipped: {}", participants_[p], error.what()));
          ++skipped;
        }
      }
      if (names.empty()) continue;
      const auto scored = score_people(detector, scans, [&] { progress.advance(); });
      double mildest = p_value_ < 1 ? std::min(0.0, scored.healthy.z_at(p_value_)) : 0;
      if (usual && std::isinf(mildest)) {  // nothing would ever be found
        mildest = 0;
        if (first == 0)
          warn(
              fmt::format("{} controls are too few to call any score as rare as p = {}: clusters "
                          "are not bounded by p",
                          detector.controls, p_value_));
      }
      const auto method =
          mildest < 0
              ? fmt::format("{} Clusters are of voxels with p of {:g} or less.", kMethod, p_value_)
              : std::string(kMethod);
      for (size_t p = 0; p < names.size(); ++p) {
        const auto& maps = scored.maps[p];
        try {
          const auto warnings = patient_warnings(detector.network, detector.quality, scans[p],
                                                 maps.mask, cohort, names[p]);
          for (const auto& warning : warnings) warn(warning);
          DetectionMaps found;
          found.grid = detector.grid;
          found.mask = maps.mask;
          found.brain = brains[p];
          found.score = maps.score;
          found.z = maps.z;
          found.p = maps.p;
          found.uptake_t = detector.uptake.of(scans[p], maps.mask, brains[p], detector.grid);
          found.mildest = mildest;
          found.scan = scans[p].shown[0];
          found.method = method;
          found.warnings = warnings;
          found.surround_mm = detector.patches.surround_mm;
          writer.write(names[p], found);
        } catch (const Error& error) {
          warn(fmt::format("{} is skipped: {}", names[p], error.what()));
          ++skipped;
        }
      }
    }
    require(skipped < static_cast<int64_t>(participants_.size()), "{}: nobody could be scored",
            cohort_);
    record.finish();
    return skipped > 0 ? kSomeLeftOut : 0;
  }

 private:
  std::string cohort_, detector_, out_;
  std::vector<std::string> participants_;
  double p_value_ = 0;
  DetectionSettings output_;
  DeviceSettings device_;
};

}  // namespace

CommandEntry detect_apply_command() {
  return {
      "detect apply", "Score people's scans with a detector: maps and ranked clusters",
      "Writes for each person `ID_score.nii.gz` (the decision of each voxel's machine; negative "
      "is outside what controls are), where the detector was fitted with `--folds` `ID_z.nii.gz` "
      "and `ID_p.nii.gz` (the part of healthy people's scores that are as low), of a PET or SPECT "
      "`ID_uptake-t.nii.gz` (below 0: less uptake than in controls), "
      "`ID_clusters.nii.gz` and `ID_clusters.tsv`: at most `--clusters` clusters of "
      "26 neighbours (of voxels with p <= 0.01, where there are p-values), ranked by size and mean "
      "score; `overlay_*.png` and `report.html` show the "
      "first. With `--native` clusters, table and map are also in the person's own space, as "
      "`ID_space-native_*`, for `scintigen export --format dicom` too. The scans must be prepared "
      "as the controls "
      "were: same space, template fit, grid and scaling. Research software: not for diagnosis.",
      "scintigen detect apply prepared/template --detector detector --participants sub-P01 "
      "--native prepared/native --out found",
      [] { return std::unique_ptr<Command>(new DetectApply); }};
}

}  // namespace scintigen
