// SPDX-License-Identifier: Apache-2.0
// scintigen translate: a trained paired translator on whole volumes.
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/translate_person.h"
#include "cli/translate_scores.h"
#include "core/atomic_file.h"
#include "core/device.h"
#include "core/error.h"
#include "core/progress.h"
#include "core/run_record.h"
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
    if (std::filesystem::path(input.value("path", "")).filename() == "volumes.tsv")
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
  void visit(SettingsVisitor& v) override;
  int run(const std::vector<std::string>& command_line) override;

 private:
  void check_what_is_asked() const;
  std::vector<std::filesystem::path> checkpoints() const;
  std::string role_of(const std::string& participant_id) const;
  std::vector<std::string> wanted_people(const VolumeCohort& cohort) const;
  TranslateSubject subject_of(const VolumeCohort& cohort, const std::string& participant_id) const;
  std::vector<PlaneRange> ranges_of(const PairedPerson& person, TranslatedPerson& made) const;
  bool make(const TranslateSubject& subject, TranslatedPerson& made, const std::string& label);
  Json about(RunRecord& record) const;

  std::vector<std::string> run_, input_, participants_;
  std::string checkpoint_, cohort_, session_, mask_, out_;
  std::string counts_ = "profile", planes_ = "brain";
  int64_t step_ = 0, batch_size_ = 8, samples_ = 1, seed_ = 1;
  double level_ = 0, brain_mean_ = 0, even_slices_ = 0;
  bool dropout_ = false, batch_statistics_ = false, score_ = false;
  DeviceSettings device_;

  Inference inference_;
  PairedSettings data_;
  std::vector<std::filesystem::path> files_;  // checkpoints
  std::vector<PairedTranslator> ensemble_;
  std::vector<RunPeople> people_;
  std::string cohort_sha256_;
};

void Translate::visit(SettingsVisitor& v) {
  v.visit(text("run",
               "run folder: the checkpoint `scintigen select` chose, else best, else newest; "
               "several, comma between them: their mean, and their SD as a map"),
          run_);
  v.visit(text("checkpoint", "this checkpoint file instead of --run"), checkpoint_);
  v.visit(number("step", "the run's checkpoint of this step; 0 = as --run says", 0, 1e12), step_);
  v.visit(text("cohort", "prepared volumes: a space of `scintigen prepare`"), cohort_);
  v.visit(text("participants", "people of --cohort; default: those that no run was trained on"),
          participants_);
  v.visit(text("session", "of --cohort, where modalities have several; default: the run's"),
          session_);
  v.visit(text("input",
               "instead of --cohort: NIfTI files on one grid, one for each modality of the "
               "run in its order"),
          input_);
  v.visit(text("mask", "with --input: brain mask on the same grid"), mask_);
  v.visit(required(text("out", "folder to make: must not exist or be empty")), out_);
  v.visit(
      choice("counts",
             "way back from slices scaled to (-1,1): profile = the training people's brightness "
             "by place in the brain; input = the same, corrected by the input's; none = each "
             "slice in [0,1]",
             {"profile", "input", "none"}),
      counts_);
  v.visit(number("level",
                 "of the counts, in the target's unit: geometric mean of the slices' "
                 "maxima; 0 = the training people's median",
                 0, 1e12),
          level_);
  v.visit(number("brain_mean", "mean in the brain that the volume is brought to instead; 0 = off",
                 0, 1e12),
          brain_mean_);
  v.visit(choice("planes",
                 "which to translate: brain = all that hold brain; trained = as many as training "
                 "took; all",
                 {"brain", "trained", "all"}),
          planes_);
  v.visit(number("even_slices",
                 "brightness of neighbouring slices is evened over so many planes (SD of a "
                 "Gaussian); 0 = off",
                 0, 100),
          even_slices_);
  v.visit(flag("dropout", "keep dropout at inference (Isola 2017 does)"), dropout_);
  v.visit(flag("batch_statistics",
               "normalise by the statistics of the slices translated together (Isola 2017 does, "
               "with batches of 1)"),
          batch_statistics_);
  v.visit(number("samples", "of dropout: their mean is written, and their SD as a map", 1, 1000),
          samples_);
  v.visit(number("batch_size", "slices translated together", 1, 256), batch_size_);
  v.visit(number("seed", "of dropout", 0, 9e15), seed_);
  v.visit(flag("score", "compare with the real target of --cohort, and with three baselines"),
          score_);
  device_.visit(v);
}

void Translate::check_what_is_asked() const {
  require(run_.empty() != checkpoint_.empty(),
          "translate: {}; give --run FOLDER or --checkpoint FILE",
          run_.empty() ? "no translator was named" : "both --run and --checkpoint were given");
  require(step_ == 0 || !run_.empty(), "translate: --step chooses a checkpoint of --run");
  require(cohort_.empty() != input_.empty(), "translate: {}; give --cohort FOLDER or --input FILE",
          cohort_.empty() ? "nothing to translate" : "both --cohort and --input were given");
  require(cohort_.empty() ? participants_.empty() && session_.empty() : mask_.empty(),
          "translate: --participants and --session choose people of --cohort; --mask goes with "
          "--input");
  require(!score_ || !cohort_.empty(), "translate: --score needs a --cohort that has the target");
  require(counts_ != "none" || (level_ == 0 && brain_mean_ == 0),
          "translate: --counts none has no unit; leave --level and --brain-mean out");
  require(level_ == 0 || brain_mean_ == 0,
          "translate: --level and --brain-mean exclude each other");
  const std::filesystem::path out(out_);
  require(!std::filesystem::exists(out) ||
              (std::filesystem::is_directory(out) && std::filesystem::is_empty(out)),
          "{}: exists already; nothing is overwritten; name another --out or remove it", out_);
}

std::vector<std::filesystem::path> Translate::checkpoints() const {
  if (!checkpoint_.empty()) return {checkpoint_};
  std::vector<std::filesystem::path> files;
  for (const auto& run : run_) {
    require(std::filesystem::is_directory(run),
            "{}: no such folder; expected a run of `scintigen train pix2pix`", run);
    files.push_back(step_ > 0 ? checkpoint_of_step(run, step_) : chosen_checkpoint(run));
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
  for (const auto& id : participants_) {
    const auto near = contains(there, id) ? std::nullopt : nearest_word(id, there);
    require(contains(there, id), "--participants {}: not in {}{}", id, cohort.table.name,
            near ? "; did you mean " + *near + "?" : "");
    if (role_of(id) == "training")
      warn(fmt::format("{} was trained on: how well that works says nothing of new people", id));
  }
  if (!participants_.empty()) return participants_;
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
  subject.person = map_person(cohort, participant_id, data_, score_);
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
  subject.grid = subject.person.grid;
  subject.form_code = cohort.space == "template" ? 4 : 2;
  return subject;
}

/// The mean over runs of what -1 and 1 stand for.
std::vector<PlaneRange> Translate::ranges_of(const PairedPerson& person,
                                             TranslatedPerson& made) const {
  const auto planes = static_cast<size_t>(person.grid.nk);
  if (counts_ == "none") return std::vector<PlaneRange>(planes, PlaneRange{0, 1});
  std::vector<PlaneRange> mean(planes, PlaneRange{0, 0});
  const auto runs = static_cast<double>(ensemble_.size());
  made.unit = ensemble_.front().summary().profile.unit;
  for (const auto& translator : ensemble_) {
    const auto& profile = translator.summary().profile;
    const auto ranges = plane_ranges(profile, person, counts_, level_);
    for (size_t k = 0; k < planes; ++k) {
      mean[k].low += ranges[k].low / runs;
      mean[k].high += ranges[k].high / runs;
    }
    made.level += (level_ > 0 ? level_ : profile.level) / runs;
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
  const auto planes = planes_to_translate(person, planes_);
  for (const int64_t k : planes) made.beyond_training += person.is_chosen(k) ? 0 : 1;
  made.ranges = ranges_of(person, made);
  made.pixels =
      translate(ensemble_, person, planes, inference_, [](int64_t) { return !stop_requested(); });
  if (made.pixels.planes.empty()) return false;
  const auto brain = summary.profile.masked ? made.inside : torch::Tensor();
  made.counts = to_counts(made.pixels, made.ranges, brain);
  even_slices(made.counts, made.inside, even_slices_);
  if (made.pixels.deviation.defined())
    made.deviation = deviation_in_counts(made.pixels, made.ranges, brain);
  if (brain_mean_ > 0) {
    const double mean =
        made.counts.masked_select(made.inside > 0).mean(torch::kDouble).item<double>();
    require(mean > 0, "{}: the translated brain is empty; --brain-mean cannot be met", label);
    made.counts.mul_(brain_mean_ / mean);
    if (made.deviation.defined()) made.deviation.mul_(brain_mean_ / mean);
    for (auto& range : made.ranges) {
      range.low *= brain_mean_ / mean;
      range.high *= brain_mean_ / mean;
    }
    made.level *= brain_mean_ / mean;
  }
  made.neighbour_difference = neighbour_difference(made.counts, made.inside);
  return true;
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
          {"Method", "pix2pix (Isola et al. 2017), slice by slice"},
          {"Checkpoints", checkpoints},
          {"CountsRule",
           {{"Rule", counts_},
            {"LevelFrom", counts_ == "none" ? "none"
                          : brain_mean_ > 0 ? "brain_mean"
                          : level_ > 0      ? "user"
                                            : "median of the training people"},
            {"TrainingLevelSdLn", profile.level_sd_ln}}},
          {"EvenSlices", even_slices_},
          {"Inference",
           {{"Dropout", inference_.dropout},
            {"BatchStatistics", inference_.batch_statistics},
            {"Samples", inference_.samples},
            {"BatchSize", inference_.batch_size},
            {"Seed", seed_},
            {"Precision", device_.precision}}}};
}

int Translate::run(const std::vector<std::string>& command_line) {
  check_what_is_asked();
  watch_signals();
  files_ = checkpoints();
  inference_ = {dropout_ || samples_ > 1, batch_statistics_, samples_, batch_size_,
                static_cast<uint64_t>(seed_)};
  const auto device = use_device(device_);
  for (const auto& file : files_)
    ensemble_.emplace_back(file, device, compute_type(device_), inference_);
  require_alike(ensemble_);
  data_ = ensemble_.front().data();
  if (!session_.empty()) data_.session = session_;
  for (const auto& run : run_) people_.push_back(people_of_run(run));

  VolumeCohort cohort;
  std::vector<std::string> people = {""};
  TranslateSubject single;
  const std::filesystem::path folder(cohort_);
  if (cohort_.empty()) {
    single = subject_of_files(input_, mask_, data_);
  } else {
    cohort = read_volume_cohort(folder);
    cohort_sha256_ = sha256_of_file(folder / "volumes.tsv");
    people = wanted_people(cohort);
  }

  RunRecord record(out_, "translate", command_line, *this);
  const auto shared = about(record);
  for (const auto& file : input_) record.add_input(file);
  if (!mask_.empty()) record.add_input(mask_);
  if (!cohort_.empty()) record.add_input(folder / "volumes.tsv");
  record.set("device", describe_device(device));
  const std::filesystem::path out(out_);
  TranslateScores scores("translator");
  Table list{"translations.tsv",
             {"participant_id", "session", "role", "file", "unit", "level", "planes",
              "beyond_training", "neighbour_difference", "warnings"},
             {}};
  Table skipped{"skipped.tsv", {"participant_id", "reason"}, {}};
  Progress progress("translate", static_cast<int64_t>(people.size()), "volume");
  for (const auto& id : people) {
    if (stop_requested()) break;
    try {
      const auto subject = cohort_.empty() ? single : subject_of(cohort, id);
      TranslatedPerson made;
      if (!make(subject, made, id)) break;
      const bool shown = score_ && made.level > 0;
      write_translation(out, subject, made, data_, shared,
                        shown ? real_counts(subject.person) : torch::Tensor());
      if (score_) scores.add(subject, made, ensemble_.front(), even_slices_);
      list.add_row(
          {id.empty() ? "n/a" : id, subject.session.empty() ? "n/a" : subject.session, subject.role,
           (std::filesystem::path(subject.folder) / (subject.name + ".nii.gz")).generic_string(),
           made.unit.empty() ? "n/a" : made.unit, number_text(made.level),
           std::to_string(made.pixels.planes.size()), std::to_string(made.beyond_training),
           number_text(made.neighbour_difference), std::to_string(made.warnings.size())});
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
  record.set("volumes", list.rows.size());
  record.finish(stopped ? "interrupted" : "finished");
  say(fmt::format("{} of {} volumes translated: {}", list.rows.size(), people.size(), out_));
  return stopped ? kInterrupted : skipped.rows.empty() ? 0 : 1;
}

}  // namespace

CommandEntry translate_command() {
  return {
      "translate",
      "Translate whole volumes (MRI, PET or both to SPECT) with a trained translator",
      "Applies a run of `train pix2pix` to people of a prepared cohort, or to NIfTI files on one "
      "grid, slice by slice, and writes volumes on the same grid: NIfTI, a sidecar that says "
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
