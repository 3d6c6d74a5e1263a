// SPDX-License-Identifier: Apache-2.0
// scintigen detect score: maps of `detect apply` and known lesions -> how well lesions are found.
#include <charconv>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/command.h"
#include "cli/detection_page.h"
#include "core/atomic_file.h"
#include "core/device.h"
#include "core/error.h"
#include "core/mask_morphology.h"
#include "core/progress.h"
#include "core/resample.h"
#include "core/run_record.h"
#include "core/transform_file.h"
#include "core/volume_io.h"
#include "detection/detection_study.h"

namespace scintigen {
namespace {

namespace fs = std::filesystem;

/// Numbers in falling order: milder thresholds first.
std::vector<double> thresholds_of(const std::vector<std::string>& texts) {
  std::vector<double> found;
  for (const auto& text : texts) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    require(error == std::errc() && end == text.data() + text.size(),
            "--thresholds {}: expected a number, such as -3.5", text);
    require(found.empty() || value < found.back(),
            "--thresholds {}: expected each below the one before", text);
    found.push_back(value);
  }
  return found;
}

class DetectScore : public Command {
 public:
  void visit(SettingsVisitor& v) override {
    v.visit(positional(required(
                text("found", "folders of `detect apply` or `detect baseline`, one a detector"))),
            found_);
    v.visit(text("name", "of each detector; default: its folder's"), names_);
    v.visit(required(text("lesions",
                          "table: participant_id, file (a mask, > 0 in the lesion; n/a: a held-out "
                          "control), and transforms (optional: files, comma between them, that "
                          "take a place of the map to the mask, in order)")),
            lesions_);
    v.visit(required(text("out", "folder for the tables and report.html")), out_);
    v.visit(text("title", "heading of the report"), title_);
    v.visit(text("note", "a line of the report: what was scored"), note_);
    v.visit(choice("rule",
                   "a cluster hits: voxel: shares one with the lesion (Zotova 2021); ten-percent: "
                   "of the lesion; centre: centres within 1 cm",
                   {"voxel", "ten-percent", "centre"}),
            rule_);
    v.visit(number("most", "curves run to so many clusters a person", 1, 1000), study_.most);
    v.visit(number("least_ml", "smaller clusters are left out, mL", 0, 1e6),
            study_.clusters.least_ml);
    v.visit(text("thresholds", "of the free response, the same for everybody; falling"),
            thresholds_);
    v.visit(
        number("draws", "random placements of each person's clusters; 0: no chance level", 0, 1e6),
        study_.draws);
    v.visit(text("retest", "a folder for each of `found`: the same people scanned again"), retest_);
    v.visit(number("seed", "of the random placements", 0, 1e9), seed_);
    v.visit(number("threads", "CPU threads; 0 = all processors this process may use", 0, 1024),
            device_.threads);
  }

  int run(const std::vector<std::string>& command_line) override {
    prepare();
    device_.device = "cpu";
    use_device(device_);
    RunRecord record(out_, "detect score", command_line, *this);
    record.add_input(lesions_);
    const auto lesions = read_table(lesions_);
    require_once(lesions);
    std::vector<DetectorStudy> studies;
    nlohmann::ordered_json figures = nlohmann::ordered_json::array();
    for (size_t d = 0; d < found_.size(); ++d) {
      std::vector<ScoredPerson> people;
      for (size_t row = 0; row < lesions.rows.size(); ++row)
        people.push_back(read_person(found_[d], lesions, row));
      studies.push_back(study_detector(names_[d], people, study_));
      const auto& study = studies.back();
      const auto folder = fs::path(out_) / names_[d];
      fs::create_directories(folder);
      write_table(folder / "hits.tsv", hit_table(study));
      write_table(folder / "curve.tsv", curve_table(study));
      if (!study_.thresholds.empty())
        write_table(folder / "froc.tsv", froc_table(study, study_.thresholds));
      if (!retest_.empty()) write_table(folder / "retest.tsv", agreement(d, lesions));
      const auto& last = study.curve.back();
      say(fmt::format(
          "{}: {:.0f} % of {} lesions hit with at most {} clusters a person (95 % "
          "interval {:.0f} to {:.0f} %{})",
          names_[d], 100 * last.sensitivity, study.patients.size(), study_.most, 100 * last.lower,
          100 * last.upper,
          study.chance.empty() ? ""
                               : fmt::format("; by chance {:.0f} %", 100 * study.chance.back())));
      figures.push_back({{"name", names_[d]},
                         {"patients", study.patients.size()},
                         {"controls", study.controls.size()},
                         {"sensitivity", last.sensitivity},
                         {"lower", last.lower},
                         {"upper", last.upper}});
    }
    if (studies.size() > 1) write_table(fs::path(out_) / "pairs.tsv", pair_table(studies));
    write_file(fs::path(out_) / "report.html",
               detection_page(studies, study_,
                              {title_, note_, rule_in_words(study_.hit), settings_to_json(*this)}));
    say("report: " + (fs::path(out_) / "report.html").string());
    record.set("detectors", figures);
    record.finish();
    return 0;
  }

 private:
  void prepare() {
    require(names_.empty() || names_.size() == found_.size(),
            "--name: {} for {} folders; give one for each", names_.size(), found_.size());
    require(retest_.empty() || retest_.size() == found_.size(),
            "--retest: {} for {} folders; give one for each", retest_.size(), found_.size());
    if (names_.empty())
      for (const auto& folder : found_)
        names_.push_back(fs::path(folder).lexically_normal().filename().string());
    for (size_t i = 0; i < names_.size(); ++i) {
      require(!names_[i].empty() && names_[i].find('/') == std::string::npos && names_[i] != "..",
              "--name {}: expected a name for a folder", names_[i]);
      for (size_t j = 0; j < i; ++j)
        require(names_[i] != names_[j], "--name: two detectors are called {}; name them apart",
                names_[i]);
    }
    study_.hit = rule_ == "voxel"         ? HitRule::kVoxel
                 : rule_ == "ten-percent" ? HitRule::kTenPercent
                                          : HitRule::kCentre;
    study_.thresholds = thresholds_of(thresholds_);
    study_.seed = static_cast<uint64_t>(seed_);
  }

  static std::string rule_in_words(HitRule rule) {
    if (rule == HitRule::kVoxel) return "A cluster hits where it shares a voxel with the lesion.";
    if (rule == HitRule::kTenPercent)
      return "A cluster hits where it covers a tenth of the lesion or more.";
    return "A cluster hits where its centre lies within 1 cm of the lesion's.";
  }

  /// z where there is one, else the score.
  static fs::path map_file(const std::string& found, const std::string& id) {
    const auto z = fs::path(found) / id / (id + "_z.nii.gz");
    const auto score = fs::path(found) / id / (id + "_score.nii.gz");
    const bool has_z = fs::exists(z);
    require(has_z || fs::exists(score), "{}: no map of {}; run `detect apply` for everybody in {}",
            found, id, "--lesions");
    return has_z ? z : score;
  }

  /// A person is one trial.
  static void require_once(const Table& lesions) {
    std::set<std::string> seen;
    for (size_t row = 0; row < lesions.rows.size(); ++row)
      require(seen.insert(lesions.at(row, "participant_id")).second,
              "{}: row {}: {} stands there twice; put both lesions into one mask", lesions.name,
              row + 2, lesions.at(row, "participant_id"));
  }

  ScoredPerson read_person(const std::string& found, const Table& lesions, size_t row) {
    ScoredPerson person;
    person.participant_id = lesions.at(row, "participant_id");
    person.scores = read_volume(map_file(found, person.participant_id));
    person.mask = person.scores.voxels.ne(0);
    if (lesions.at(row, "file") == "n/a") return person;
    // Detectors of the same people lie on the same grid, mostly.
    auto& known = lesions_on_[row];
    if (!(known.grid == grid_of(person.scores)))
      known = {grid_of(person.scores), read_lesion(lesions, row, person.scores)};
    person.lesion = known.lesion;
    return person;
  }

  /// Where the lesion of a row lies on a map, bool.
  torch::Tensor read_lesion(const Table& lesions, size_t row, const Volume& map) const {
    const auto& file = lesions.at(row, "file");
    const auto folder = fs::path(lesions_).parent_path();
    SpatialMap to_lesion = identity_affine();
    if (lesions.find_column("transforms") && lesions.at(row, "transforms") != "n/a") {
      std::string name;
      for (const char letter : lesions.at(row, "transforms") + ",") {
        if (letter != ',') {
          name += letter;
          continue;
        }
        to_lesion = compose(read_spatial_map(folder / name), to_lesion);
        name.clear();
      }
    }
    const auto lesion =
        resample(read_volume(folder / file), grid_of(map), to_lesion, Interpolation::kNearest)
            .voxels > 0;
    require(lesion.any().item<bool>(),
            "{}: the lesion of {} lies outside its map; check the transforms", file,
            lesions.at(row, "participant_id"));
    return lesion;
  }

  /// Dice of the clusters of both scans, at most `most` a person.
  Table agreement(size_t d, const Table& lesions) const {
    Table table{"retest.tsv", {"participant_id", "dice"}, {}};
    double sum = 0;
    for (size_t row = 0; row < lesions.rows.size(); ++row) {
      const auto& id = lesions.at(row, "participant_id");
      std::vector<torch::Tensor> marked;
      for (const auto& folder : {found_[d], retest_[d]}) {
        const auto scores = read_volume(map_file(folder, id));
        auto rule = study_.clusters;
        const auto mask = scores.voxels.ne(0);
        rule.threshold = threshold_for_at_most(scores, rule, study_.most, mask);
        marked.push_back(find_clusters(scores, rule, mask).labels > 0);
      }
      require(marked[0].sizes() == marked[1].sizes(), "--retest: {} lies on another grid", id);
      const double overlap = dice(marked[0], marked[1]);
      sum += overlap;
      table.add_row({id, fmt::format("{:.4f}", overlap)});
    }
    say(fmt::format("{}: clusters of both scans overlap by a Dice of {:.3f} on average", names_[d],
                    sum / static_cast<double>(lesions.rows.size())));
    return table;
  }

  struct LesionOnGrid {
    Grid grid;
    torch::Tensor lesion;
  };

  std::vector<std::string> found_, names_, retest_;
  std::vector<std::string> thresholds_ = {"-2", "-2.5", "-3", "-3.5", "-4", "-4.5",
                                          "-5", "-6",   "-7", "-8",   "-10"};
  std::string lesions_, out_, title_, note_, rule_ = "voxel";
  StudyRule study_;
  int64_t seed_ = 1;
  DeviceSettings device_;
  std::map<size_t, LesionOnGrid> lesions_on_;  ///< by row of the table
};

}  // namespace

CommandEntry detect_score_command() {
  return {
      "detect score", "How well detectors find lesions that are known",
      "Sensitivity against clusters a person with intervals (a person is one trial) and the level "
      "of clusters placed at random, a free-response curve with the clusters of held-out controls, "
      "and exact McNemar tests between detectors. Clusters are of the maps alone: the bound of p "
      "that `detect apply` has is not applied. Writes `report.html`, `hits.tsv`, `curve.tsv` "
      "and `froc.tsv` for each detector and `pairs.tsv`; with `--retest` how far clusters agree in "
      "a second scan.",
      "scintigen detect score found found_z --lesions lesions.tsv --out scored",
      [] { return std::unique_ptr<Command>(new DetectScore); }};
}

}  // namespace scintigen
