// SPDX-License-Identifier: Apache-2.0
// scintigen detect baseline: simpler detectors, with the same files as `detect apply`.
#include <algorithm>
#include <filesystem>
#include <map>

#include "cli/command.h"
#include "cli/detect_output.h"
#include "cohort/people_split.h"
#include "cohort/surroundings.h"
#include "core/device.h"
#include "core/error.h"
#include "core/progress.h"
#include "core/run_record.h"
#include "core/same_grid.h"
#include "core/volume_io.h"
#include "detection/control_uptake.h"
#include "detection/simple_detectors.h"
#include "training/checkpoint.h"
#include "training/siamese_recipe.h"

namespace scintigen {
namespace {

constexpr int kSomeLeftOut = 1;
constexpr const char* kImages =
    "z of the smoothed relative uptake (method residual: less that of a pseudo-normal image) "
    "against controls.";
constexpr const char* kLatents =
    "Minus the Mahalanobis distance of patch features to those of controls at every voxel.";

class DetectBaseline : public Command {
 public:
  void visit(SettingsVisitor& v) override {
    v.visit(positional(required(text("cohort", "prepared volumes of controls and patients"))),
            cohort_);
    v.visit(required(choice("method",
                            "z: image against controls; residual: image minus pseudo-normal image "
                            "against controls'; mahalanobis: latents of `train siamese`",
                            {"z", "residual", "mahalanobis"})),
            method_);
    v.visit(required(text("leave_out", "people of the cohort who are no controls")), leave_out_);
    v.visit(text("participants", "people to score, of --leave-out; none named: all of them"),
            participants_);
    v.visit(required(text("out", "folder for a folder a person")), out_);
    v.visit(text("modality", "image of z and residual"), images_.modalities);
    v.visit(text("session", "session of a modality that has several"), images_.session);
    v.visit(number("smooth_mm", "Gaussian (FWHM) inside the brain before z and residual", 0, 30),
            smooth_mm_);
    v.visit(
        number("surround_mm",
               "z and residual: images relative to the uptake around, a Gaussian in the brain of "
               "so many mm (FWHM): focal lesions stand out more (24 for one of 20 mm), wide ones "
               "less; 0: to the brain's mean",
               0, 200),
        images_.surround_mm);
    v.visit(text("pseudo_normal",
                 "residual: table with participant_id and file, an image each of all controls and "
                 "patients on the grid of the cohort, such as `translate` makes"),
            pseudo_normal_);
    v.visit(text("features", "mahalanobis: run folder of `train siamese`"), features_);
    output_.visit(v);
    device_.visit(v);
  }

  int run(const std::vector<std::string>& command_line) override {
    use_device(device_);
    check();
    const auto cohort = read_volume_cohort(cohort_);
    std::vector<std::string> nobody;
    const auto controls = split_people(cohort, 0, nobody, leave_out_, 0).training;
    if (participants_.empty()) participants_ = leave_out_;
    for (const auto& id : participants_)
      require(std::find(leave_out_.begin(), leave_out_.end(), id) != leave_out_.end(),
              "--participants {}: is a control; name it in --leave-out too", id);
    if (!pseudo_normal_.empty()) read_pseudo_normal(controls);
    RunRecord record(out_, "detect baseline", command_line, *this);
    record.add_input(cohort.folder / "volumes.tsv");
    if (!pseudo_normal_.empty()) record.add_input(pseudo_normal_);
    const DetectionWriter writer(output_, out_, cohort, *this);
    const int64_t skipped = method_ == "mahalanobis" ? by_latents(cohort, controls, writer, record)
                                                     : by_images(cohort, controls, writer);
    require(skipped < static_cast<int64_t>(participants_.size()), "{}: nobody could be scored",
            cohort_);
    record.finish();
    return skipped > 0 ? kSomeLeftOut : 0;
  }

 private:
  void check() const {
    require(method_ != "residual" || !pseudo_normal_.empty(),
            "--method residual: expected --pseudo-normal, a table of images to subtract");
    require(method_ == "residual" || pseudo_normal_.empty(),
            "--pseudo-normal: belongs to --method residual");
    require((method_ == "mahalanobis") == !features_.empty(),
            "--features: expected with --method mahalanobis, and with it alone");
    require(method_ == "mahalanobis" || output_.uptake != "higher",
            "--uptake higher: belongs to --method mahalanobis; z and residual stand out by less");
    require(images_.surround_mm == 0 || method_ != "mahalanobis",
            "--surround-mm: belongs to z and residual; --features hold their own");
    require(images_.modalities.size() == 1, "--modality: {} named; expected one",
            images_.modalities.size());
  }

  void read_pseudo_normal(const std::vector<std::string>& controls) {
    const auto table = read_table(pseudo_normal_);
    const auto folder = std::filesystem::path(pseudo_normal_).parent_path();
    for (size_t row = 0; row < table.rows.size(); ++row)
      pseudo_[table.at(row, "participant_id")] = folder / table.at(row, "file");
    auto everybody = controls;
    everybody.insert(everybody.end(), participants_.begin(), participants_.end());
    for (const auto& id : everybody)
      require(pseudo_.count(id) > 0, "{}: no row of {}; every control and patient needs one",
              pseudo_normal_, id);
  }

  /// A person's image as it is compared: smooth relative uptake, less the pseudo-normal one's.
  torch::Tensor image_of(const PatchPeople& people, size_t p, const torch::Tensor& mask) const {
    const auto uptake_of = [&](const torch::Tensor& image) {
      return smoothed_uptake(image, mask, people.grid, smooth_mm_);
    };
    const auto real = uptake_of(in_units(people.scans[p], 0));
    if (method_ == "z") return real;
    const auto& id = people.participants[p];
    const auto& file = pseudo_.at(id);
    auto pseudo = read_volume(file);
    require_same_grid(pseudo, file.string(),
                      {people.scans[p].shown[0], people.grid.voxel_to_world, "1"},
                      "the image of " + id);
    if (images_.surround_mm > 0)
      pseudo.voxels = relative_to_surroundings(pseudo.voxels, mask, 0, images_.surround_mm,
                                               people.grid.voxel_to_world);
    return real - uptake_of(pseudo.voxels);
  }

  int64_t by_images(const VolumeCohort& cohort, const std::vector<std::string>& controls,
                    const DetectionWriter& writer) const {
    const auto healthy = read_patch_people(cohort, controls, images_);
    Progress progress("detect baseline", static_cast<int64_t>(controls.size()), "control");
    NormalImages images;
    for (size_t p = 0; p < controls.size(); ++p) {
      images.add(image_of(healthy, p, healthy.mask));
      progress.advance();
    }
    const auto normal = images.normal();
    return each_person(cohort, images_, healthy.grid, [&](const PatchPeople& person) {
      const auto brain = own_brain(person);
      const auto mask = brain.defined() ? healthy.mask & brain : healthy.mask;
      const auto z = against_normal(image_of(person, 0, mask), normal);
      DetectionMaps maps;
      maps.grid = healthy.grid;
      maps.mask = healthy.mask;
      maps.brain = brain;
      maps.z = z;
      maps.scan = person.scans[0].shown[0];
      maps.method = kImages;
      maps.surround_mm = images_.surround_mm;
      writer.write(person.participants[0], maps);
    });
  }

  int64_t by_latents(const VolumeCohort& cohort, const std::vector<std::string>& controls,
                     const DetectionWriter& writer, RunRecord& record) const {
    const auto checkpoint = chosen_checkpoint(features_);
    record.add_input(checkpoint);
    const auto trained = read_patch_network(checkpoint.string());
    output_.require_uptake_of(trained.data.modalities);
    const DensePatchEncoder encoder(trained.network);
    const auto healthy = read_patch_people(cohort, controls, trained.data);
    std::vector<ScaledScans> scans;
    std::vector<torch::Tensor> brains;
    std::vector<std::string> names;
    int64_t skipped =
        each_person(cohort, trained.data, healthy.grid, [&](const PatchPeople& person) {
          scans.push_back(person.scans[0]);
          brains.push_back(own_brain(person));
          names.push_back(person.participants[0]);
        });
    if (names.empty()) return skipped;
    const auto& grid = healthy.grid;
    std::vector<torch::Tensor> maps(names.size());
    for (auto& map : maps) map = torch::zeros({grid.nk, grid.nj, grid.ni});
    Progress progress("detect baseline", grid.nk, "plane");
    for (int64_t plane = 0; plane < grid.nk; ++plane) {
      const auto mask = healthy.mask[plane];
      if (mask.any().item<bool>()) {
        const auto distances = plane_distances(encoder, healthy.scans, scans, mask, plane);
        for (size_t p = 0; p < maps.size(); ++p)
          maps[p][plane].masked_scatter_(mask, distances[static_cast<int64_t>(p)]);
      }
      progress.advance();
    }
    const auto uptake = control_uptake(healthy, trained.data.modalities);
    for (size_t p = 0; p < maps.size(); ++p)
      skipped += skips(names[p], [&] {
        writer.write(names[p], {grid,
                                healthy.mask,
                                brains[p],
                                maps[p],
                                {},
                                {},
                                0,
                                uptake.of(scans[p], healthy.mask, brains[p], grid),
                                scans[p].shown[0],
                                kLatents,
                                {},
                                trained.data.surround_mm});
      });
    return skipped;
  }

  /// Calls `work` for everybody who can be read; returns how many could not.
  template <class Work>
  int64_t each_person(const VolumeCohort& cohort, const PatchSettings& settings, const Grid& grid,
                      const Work& work) const {
    int64_t skipped = 0;
    for (const auto& id : participants_)
      skipped += skips(id, [&] {
        const auto person = read_patch_people(cohort, {id}, settings);
        require(person.grid == grid, "{}: lies on another grid than the controls", id);
        work(person);
      });
    return skipped;
  }

  /// 1 where `work` refuses a person, who is then named; else 0.
  template <class Work>
  static int64_t skips(const std::string& id, const Work& work) {
    try {
      work();
      return 0;
    } catch (const Error& error) {
      warn(fmt::format("{} is skipped: {}", id, error.what()));
      return 1;
    }
  }

  std::string cohort_, method_, out_, pseudo_normal_, features_;
  std::vector<std::string> leave_out_, participants_;
  PatchSettings images_;
  double smooth_mm_ = kUptakeSmoothing_mm;
  std::map<std::string, std::filesystem::path> pseudo_;
  DetectionSettings output_;
  DeviceSettings device_;
};

}  // namespace

CommandEntry detect_baseline_command() {
  return {
      "detect baseline", "Simpler detectors than `detect apply`, for comparison",
      "Scores the people of `--leave-out` against all others of the cohort and writes the same "
      "files as `detect apply`, lower standing out: by z of the smoothed relative uptake, by z of "
      "its difference to a pseudo-normal image (made from the person's own T1, say), or by the "
      "Mahalanobis distance of the latents that `detect fit` uses. Research software: not for "
      "diagnosis.",
      "scintigen detect baseline prepared/template --method z --leave-out sub-P01,sub-P02 --out "
      "found_z",
      [] { return std::unique_ptr<Command>(new DetectBaseline); }};
}

}  // namespace scintigen
