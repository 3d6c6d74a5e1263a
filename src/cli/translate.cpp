// SPDX-License-Identifier: Apache-2.0
// scintigen translate: a trained paired translator on whole volumes.
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/translate_person.h"
#include "cli/translate_scores.h"
#include "cli/translate_settings.h"
#include "core/atomic_file.h"
#include "core/device.h"
#include "core/error.h"
#include "core/progress.h"
#include "core/run_record.h"
#include "synthesis/post_process.h"
#include "training/checkpoint.h"

namespace scintigen {
namespace {

using Json = nlohmann::ordered_json;
constexpr int kInterrupted = 130;

/// What a run's run.json says of people; empty of a lone checkpoint.
struct RunPeople {
  std::string cohort_sha256;  ///< of volumes.tsv
  std::vector<std::string> held_out, left_out;
};

RunPeople people_of_run(const std::filesystem::path& run) {
  RunPeople people;
  const auto file = run / "run.json";
  if (!std::filesystem::exists(file)) return people;
  const auto record = Json::parse(read_file(file), nullptr, /*allow_exceptions=*/false);
  if (!record.is_object()) return people;
  for (const auto& input : record.value("inputs", Json::array()))
    if (people.cohort_sha256.empty() &&  // the first: a second one gave targets alone
        std::filesystem::path(input.value("path", "")).filename() == "volumes.tsv")
      people.cohort_sha256 = input.value("sha256", "");
  const auto settings = record.value("settings", Json::object());
  people.held_out = settings.value("held_out", people.held_out);
  people.left_out = settings.value("leave_out", people.left_out);
  return people;
}

bool contains(const std::vector<std::string>& list, const std::string& id) {
  return std::find(list.begin(), list.end(), id) != list.end();
}

std::filesystem::path checkpoint_of_step(const std::filesystem::path& run, int64_t step) {
  const auto wanted = fmt::format("step-{:09d}.safetensors", step);
  std::vector<std::string> there;
  for (const auto& path : step_checkpoints(run)) {
    if (path.filename() == wanted) return path;
    there.push_back(std::to_string(std::stoll(path.stem().string().substr(5))));
  }
  throw Error("{}: no checkpoint of step {}; there are: {}", run.string(), step,
              there.empty() ? "none" : fmt::format("{}", fmt::join(there, ", ")));
}

class Translate : public Command {
 public:
  void visit(SettingsVisitor& v) override { asked_.visit(v); }
  int run(const std::vector<std::string>& command_line) override;

 private:
  std::vector<std::filesystem::path> checkpoints() const;
  std::string role_of(const std::string& participant_id) const;
  std::vector<std::string> wanted_people(const VolumeCohort& cohort) const;
  TranslateSubject subject_of(const VolumeCohort& cohort, const std::string& participant_id) const;
  std::vector<PlaneRange> ranges_of(const PairedPerson& person, TranslatedPerson& made) const;
  bool make(const TranslateSubject& subject, TranslatedPerson& made, const std::string& label);
  Json about(RunRecord& record) const;
  std::string method_in_words() const;
  double smoothing_mm() const {
    if (asked_.smooth_mm >= 0) return asked_.smooth_mm;
    return ensemble_.front().method() == "cyclegan" ? kPaperSmoothing_mm : 0;
  }

  TranslateSettings asked_;
  Inference inference_;
  PairedSettings data_;
  std::vector<std::filesystem::path> files_;  // checkpoints
  std::vector<PairedTranslator> ensemble_;
  std::vector<RunPeople> people_;
  std::string cohort_sha256_;
};

std::vector<std::filesystem::path> Translate::checkpoints() const {
  if (!asked_.checkpoint.empty()) return {asked_.checkpoint};
  std::vector<std::filesystem::path> files;
  for (const auto& run : asked_.run) {
    require(std::filesystem::is_directory(run),
            "{}: no such folder; expected a run of `scintigen train pix2pix` or `train "
            "cyclegan`",
            run);
    files.push_back(asked_.step > 0 ? checkpoint_of_step(run, asked_.step)
                                    : chosen_checkpoint(run));
  }
  return files;
}

/// Whether a person of this cohort was seen in training: by any of the runs.
std::string Translate::role_of(const std::string& participant_id) const {
  std::string role = people_.empty() ? "n/a" : "new";
  for (const auto& people : people_) {
    if (people.cohort_sha256 != cohort_sha256_) continue;
    if (contains(people.left_out, participant_id)) {
      if (role == "new") role = "left_out";
    } else if (contains(people.held_out, participant_id)) {
      if (role != "training") role = "held_out";
    } else {
      role = "training";
    }
  }
  return role;
}

std::vector<std::string> Translate::wanted_people(const VolumeCohort& cohort) const {
  const auto there = cohort.participants();
  for (const auto& id : asked_.participants) {
    const auto near = contains(there, id) ? std::nullopt : nearest_word(id, there);
    require(contains(there, id), "--participants {}: not in {}{}", id, cohort.table.name,
            near ? "; did you mean " + *near + "?" : "");
    if (role_of(id) == "training")
      warn(fmt::format("{} was trained on: how well that works says nothing of new people", id));
  }
  if (!asked_.participants.empty()) return asked_.participants;
  std::vector<std::string> people;
  for (const auto& id : there)
    if (role_of(id) != "training") people.push_back(id);
  require(!people.empty(),
          "{}: every one of {} people was trained on; name some with --participants",
          cohort.table.name, there.size());
  return people;
}

TranslateSubject Translate::subject_of(const VolumeCohort& cohort,
                                       const std::string& participant_id) const {
  TranslateSubject subject;
  subject.person = map_person(cohort, participant_id, data_, asked_.score);
  for (const auto& input : subject.person.inputs)
    require(input.voxels.isfinite().all().item<bool>(), "{}: voxels that are not finite",
            participant_id);
  for (const auto& modality : data_.inputs) {
    for (const auto& volume : cohort.volumes)
      if (volume.participant_id == participant_id && volume.modality == modality &&
          (volume.session == data_.session || volume.session.empty() || data_.session.empty())) {
        subject.files.push_back(volume.file);
        subject.session = volume.session.empty() ? subject.session : volume.session;
        break;
      }
  }
  subject.folder = participant_id;
  subject.session = data_.session.empty() ? subject.session : data_.session;
  subject.name = participant_id + (subject.session.empty() ? "" : "_" + subject.session) +
                 "_desc-synthetic_" + data_.target;
  subject.role = role_of(participant_id);
  subject.prepared = asked_.prepared;
  subject.grid = subject.person.grid;
  subject.form_code = cohort.space == "template" ? 4 : 2;
  return subject;
}

/// The mean over runs of what -1 and 1 stand for.
std::vector<PlaneRange> Translate::ranges_of(const PairedPerson& person,
                                             TranslatedPerson& made) const {
  const auto planes = static_cast<size_t>(person.grid.nk);
  if (asked_.counts == "none") return std::vector<PlaneRange>(planes, PlaneRange{0, 1});
  std::vector<PlaneRange> mean(planes, PlaneRange{0, 0});
  const auto runs = static_cast<double>(ensemble_.size());
  made.unit = ensemble_.front().summary().profile.unit;
  for (const auto& translator : ensemble_) {
    const auto& profile = translator.summary().profile;
    const auto ranges = plane_ranges(profile, person, asked_.counts, asked_.level);
    for (size_t k = 0; k < planes; ++k) {
      mean[k].low += ranges[k].low / runs;
      mean[k].high += ranges[k].high / runs;
    }
    made.level += (asked_.level > 0 ? asked_.level : profile.level) / runs;
    if (profile.unit != made.unit) made.unit.clear();
  }
  return mean;
}

bool Translate::make(const TranslateSubject& subject, TranslatedPerson& made,
                     const std::string& label) {
  const auto& person = subject.person;
  const auto& summary = ensemble_.front().summary();
  for (size_t c = 0; c < data_.inputs.size(); ++c) {
    const auto picture = picture_of(person.inputs[c].voxels, person.grid.voxel_to_world);
    const auto name = subject.files[c].empty() ? label : subject.files[c].filename().string();
    for (const auto& line : differences(summary.inputs[c], picture, name)) {
      warn(line);
      made.warnings.push_back(line);
    }
  }
  made.inside = (person.brain() > 0).to(torch::kFloat);
  const auto planes = planes_to_translate(person, asked_.planes);
  for (const int64_t k : planes) made.beyond_training += person.is_chosen(k) ? 0 : 1;
  made.ranges = ranges_of(person, made);
  made.pixels =
      translate(ensemble_, person, planes, inference_, [](int64_t) { return !stop_requested(); });
  if (made.pixels.planes.empty()) return false;
  smooth_pixels(made.pixels.mean, made.pixels.planes, spacing_mm(person.grid.voxel_to_world),
                smoothing_mm());
  auto translated = torch::zeros_like(made.inside);
  for (const int64_t k : made.pixels.planes) translated[k].copy_(made.inside[k]);
  match_pixels(made.pixels.mean, translated, summary.profile.quantiles, asked_.match);
  const auto brain = summary.profile.masked ? made.inside : torch::Tensor();
  made.counts = to_counts(made.pixels, made.ranges, brain);
  even_slices(made.counts, made.inside, asked_.even_slices);
  if (made.pixels.deviation.defined())
    made.deviation = deviation_in_counts(made.pixels, made.ranges, brain);
  if (asked_.brain_mean > 0) {
    const double mean =
        made.counts.masked_select(made.inside > 0).mean(torch::kDouble).item<double>();
    require(mean > 0, "{}: the translated brain is empty; --brain-mean cannot be met", label);
    made.counts.mul_(asked_.brain_mean / mean);
    if (made.deviation.defined()) made.deviation.mul_(asked_.brain_mean / mean);
    for (auto& range : made.ranges) {
      range.low *= asked_.brain_mean / mean;
      range.high *= asked_.brain_mean / mean;
    }
    made.level *= asked_.brain_mean / mean;
  }
  made.neighbour_difference = neighbour_difference(made.counts, made.inside);
  return true;
}

std::string Translate::method_in_words() const {
  const auto& translator = ensemble_.front();
  if (translator.method() == "pix2pix") return "pix2pix (Isola et al. 2017), slice by slice";
  return fmt::format("Simple-GAN or Cycle-GAN (Zotova et al. 2021), {}",
                     translator.pieces().patches() ? "by cubes" : "by triplets of slices");
}

Json Translate::about(RunRecord& record) const {
  auto checkpoints = Json::array();
  for (size_t n = 0; n < files_.size(); ++n) {
    const auto& metadata = ensemble_[n].metadata();
    const auto of = [&](const char* key) {
      const auto found = metadata.find(key);
      return found == metadata.end() ? std::string("n/a") : found->second;
    };
    checkpoints.push_back({{"File", files_[n].filename().string()},
                           {"SHA256", record.add_input(files_[n])},
                           {"Step", of("step")},
                           {"Epoch", of("epoch")},
                           {"TrainingCohort", Json::parse(of("cohort"), nullptr, false)}});
  }
  const auto& profile = ensemble_.front().summary().profile;
  return {{"GeneratedBy", {{{"Name", "scintigen"}, {"Version", kVersion}}}},
          {"Method", method_in_words()},
          {"Checkpoints", checkpoints},
          {"CountsRule",
           {{"Rule", asked_.counts},
            {"LevelFrom", asked_.counts == "none" ? "none"
                          : asked_.brain_mean > 0 ? "brain_mean"
                          : asked_.level > 0      ? "user"
                                                  : "median of the training people"},
            {"TrainingLevelSdLn", profile.level_sd_ln}}},
          {"EvenSlices", asked_.even_slices},
          {"SmoothingFwhm_mm", smoothing_mm()},
          {"Match", asked_.match},
          {"Inference",
           {{"Stacked", asked_.stacked},
            {"Dropout", inference_.dropout},
            {"BatchStatistics", inference_.batch_statistics},
            {"Samples", inference_.samples},
            {"BatchSize", inference_.batch_size},
            {"Seed", asked_.seed},
            {"Precision", asked_.device.precision}}}};
}

int Translate::run(const std::vector<std::string>& command_line) {
  asked_.check();
  watch_signals();
  files_ = checkpoints();
  inference_ = {asked_.dropout || asked_.samples > 1,
                asked_.batch_statistics,
                asked_.samples,
                asked_.batch_size,
                static_cast<uint64_t>(asked_.seed),
                asked_.stacked ? Overlap::kNone : Overlap::kMean};
  const auto device = use_device(asked_.device);
  for (const auto& file : files_)
    ensemble_.emplace_back(file, device, compute_type(asked_.device), inference_);
  require_alike(ensemble_);
  require(!asked_.stacked || ensemble_.front().method() == "cyclegan",
          "--stacked: slices of pix2pix do not overlap; leave it out");
  require_match(ensemble_.front().summary().profile.quantiles, asked_.match);
  data_ = ensemble_.front().data();
  if (!asked_.session.empty()) data_.session = asked_.session;
  for (const auto& run : asked_.run) people_.push_back(people_of_run(run));

  VolumeCohort cohort;
  std::vector<std::string> people = {""};
  TranslateSubject single;
  const std::filesystem::path folder(asked_.cohort);
  if (asked_.cohort.empty()) {
    single = subject_of_files(asked_.input, asked_.mask, data_);
  } else {
    cohort = read_volume_cohort(folder);
    cohort_sha256_ = sha256_of_file(folder / "volumes.tsv");
    people = wanted_people(cohort);
  }

  RunRecord record(asked_.out, "translate", command_line, *this);
  const auto shared = about(record);
  for (const auto& file : asked_.input) record.add_input(file);
  if (!asked_.mask.empty()) record.add_input(asked_.mask);
  if (!asked_.cohort.empty()) record.add_input(folder / "volumes.tsv");
  record.set("device", describe_device(device));
  const std::filesystem::path out(asked_.out);
  TranslateScores scores("translator");
  Table list{"translations.tsv",
             {"participant_id", "session", "role", "file", "unit", "level", "planes",
              "beyond_training", "neighbour_difference", "warnings"},
             {}};
  Table skipped{"skipped.tsv", {"participant_id", "reason"}, {}};
  VolumeCohort synthetic{out, "synthetic " + cohort.name, cohort.space, cohort.template_fit, {},
                         {}};
  Progress progress("translate", static_cast<int64_t>(people.size()), "volume");
  for (const auto& id : people) {
    if (stop_requested()) break;
    try {
      const auto subject = asked_.cohort.empty() ? single : subject_of(cohort, id);
      TranslatedPerson made;
      if (!make(subject, made, id)) break;
      const bool shown = asked_.score && made.level > 0;
      write_translation(out, subject, made, data_, shared,
                        shown ? real_counts(subject.person) : torch::Tensor());
      if (asked_.score) scores.add(subject, made, ensemble_.front(), asked_.even_slices);
      const auto file = std::filesystem::path(subject.folder) / (subject.name + subject.ending());
      const auto mask = subject.person.has_mask()
                            ? std::filesystem::path(subject.folder) / (subject.name + "_mask.nii")
                            : std::filesystem::path();
      synthetic.volumes.push_back({id, subject.session, data_.target, file, mask, subject.grid,
                                   made.unit, "", "none", 1, 0, ""});
      list.add_row({id.empty() ? "n/a" : id, subject.session.empty() ? "n/a" : subject.session,
                    subject.role, file.generic_string(), made.unit.empty() ? "n/a" : made.unit,
                    number_text(made.level), std::to_string(made.pixels.planes.size()),
                    std::to_string(made.beyond_training), number_text(made.neighbour_difference),
                    std::to_string(made.warnings.size())});
    } catch (const Error& error) {
      if (people.size() == 1) throw;
      warn(fmt::format("{} is left out: {}", id, error.what()));
      skipped.add_row({id, error.what()});
    }
    progress.advance();
  }
  write_table(out / "translations.tsv", list);
  if (!skipped.rows.empty()) write_table(out / "skipped.tsv", skipped);
  if (!scores.empty()) std::cout << scores.write(out);
  const bool stopped = list.rows.size() + skipped.rows.size() < people.size();
  // Its description says that a cohort is whole.
  if (asked_.prepared && !stopped && !list.rows.empty())
    write_volume_cohort(synthetic, {}, shared.dump());
  record.set("volumes", list.rows.size());
  record.finish(stopped ? "interrupted" : "finished");
  say(fmt::format("{} of {} volumes translated: {}", list.rows.size(), people.size(), asked_.out));
  return stopped ? kInterrupted : skipped.rows.empty() ? 0 : 1;
}

}  // namespace

CommandEntry translate_command() {
  return {
      "translate",
      "Translate whole volumes (MRI, PET or both to SPECT, T1 to PET) with a trained translator",
      "Applies a run of `train pix2pix` or `train cyclegan` to people of a prepared cohort, or to "
      "NIfTI files on one "
      "grid, slice by slice (triplet by triplet, cube by cube), and writes volumes on the same "
      "grid: NIfTI, a sidecar that says "
      "synthetic and how it was made, a contact sheet, with `--samples` or several runs a map of "
      "the standard deviation, `translations.tsv`, `run.json`. Slices come back to counts by the "
      "rule of `--counts` (docs/methods.md, \"From slices to counts\"). An input that does not "
      "look like the training data is warned about. `--score` writes `scores.csv` (by slice), "
      "`patients.csv` and `scores.json`, with three baselines beside the translator. To DICOM: "
      "`scintigen export --format dicom --synthetic`.",
      "scintigen translate --run run --cohort prepared/native --score --out translated",
      [] { return std::unique_ptr<Command>(new Translate); },
      false};
}

}  // namespace scintigen
