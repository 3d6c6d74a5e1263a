// SPDX-License-Identifier: Apache-2.0
// scintigen evaluate: synthetic slices against real ones.
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/command.h"
#include "cli/interpolation_strips.h"
#include "cli/run_split.h"
#include "cohort/prepared_cohort.h"
#include "core/atomic_file.h"
#include "core/device.h"
#include "core/error.h"
#include "core/picture.h"
#include "core/progress.h"
#include "core/run_record.h"
#include "core/safetensors.h"
#include "metrics/evaluation.h"
#include "report/report.h"
#include "simulate/region_planes.h"
#include "simulate/slice_truth.h"
#include "synthesis/synthetic_set.h"
#include "training/checkpoint.h"

namespace scintigen {
namespace {

constexpr size_t kSuspectsPictured = 24;
constexpr size_t kMostConditionValues = 12;
constexpr size_t kMostConditions = 12;

/// Columns of slice tables that describe a row's making, not its subject.
const std::set<std::string> kNotConditions = {"participant_id", "session",  "slice",     "file",
                                              "original_slice", "scale",    "below",     "above",
                                              "seed",           "latent",   "latent_to", "fraction",
                                              "training_count", "like_row", "unit"};

SliceSet set_of(const PreparedCohort& cohort, const std::string& name) {
  return {name, cohort.slices, cohort.table};
}

/// A set made by `generate`, or a prepared cohort of imported synthetic slices.
SliceSet read_set(const std::filesystem::path& folder, const std::string& name) {
  if (std::filesystem::exists(folder / "cohort.json")) return set_of(read_cohort(folder), name);
  auto set = read_synthetic_set(folder);
  return {name, set.slices, set.table};
}

/// The part of a filter that a table can answer: a generator of one level has no level column.
std::string answerable(const std::string& filter, const Table& table) {
  std::string kept;
  for (const auto& [column, values] : parse_filter(filter))
    if (table.find_column(column))
      kept += fmt::format("{}{}={}", kept.empty() ? "" : ";", column, fmt::join(values, ","));
  return kept;
}

SliceSet rows_where(const SliceSet& set, const std::string& filter) {
  const auto answered = answerable(filter, set.table);
  if (answered.empty()) return set;
  const auto rows = matching_rows(set.table, answered);
  SliceSet kept{set.name, set.slices.index_select(0, torch::tensor(rows, torch::kLong)), {}};
  kept.table.name = set.table.name;
  kept.table.columns = set.table.columns;
  for (const int64_t row : rows)
    kept.table.rows.push_back(set.table.rows[static_cast<size_t>(row)]);
  return kept;
}

/// Values of a column over all sets, or nothing where a set lacks it.
std::set<std::string> values_everywhere(const EvaluationInput& input, const std::string& column) {
  std::set<std::string> values;
  std::vector<const SliceSet*> sets = {&input.reference};
  for (const auto& set : input.synthetic) sets.push_back(&set);
  for (const auto* set : sets) {
    if (!set->table.find_column(column)) return {};
    for (size_t row = 0; row < set->table.rows.size(); ++row)
      values.insert(set->table.at(row, column));
  }
  return values;
}

/// Columns of few values that every set has, from the left, as long as they make few conditions.
std::vector<std::string> shared_conditions(const EvaluationInput& input) {
  std::vector<std::string> shared;
  for (const auto& column : input.synthetic.front().table.columns) {
    if (kNotConditions.count(column) > 0) continue;
    const auto values = values_everywhere(input, column);
    if (values.size() < 2 || values.size() > kMostConditionValues) continue;
    shared.push_back(column);
    std::set<std::vector<std::string>> conditions;
    for (size_t row = 0; row < input.reference.table.rows.size(); ++row) {
      std::vector<std::string> condition;
      for (const auto& name : shared) condition.push_back(input.reference.table.at(row, name));
      conditions.insert(std::move(condition));
    }
    if (conditions.size() > kMostConditions) shared.pop_back();
  }
  return shared;
}

class Evaluate : public Command {
 public:
  void visit(SettingsVisitor& v) override {
    v.visit(positional(required(text("cohort", "prepared cohort of the real slices"))), cohort_);
    v.visit(
        required(text("synthetic",
                      "folders made by `scintigen generate` (or prepared cohorts), up to four")),
        synthetic_);
    v.visit(text("name", "names of the sets, in order; default the folders' names"), names_);
    v.visit(text("run",
                 "run that made them: says who was trained on, and draws an interpolation strip"),
            run_);
    v.visit(text("held_out", "without --run: patients who were not trained on"), held_out_);
    v.visit(choice("against",
                   "real slices to compare with: held-out patients where they are known, or all",
                   {"auto", "held-out", "all"}),
            against_);
    v.visit(text("where", "rows to use: level=cortex;pattern=normal,unilateral"), where_);
    settings_.visit(v);
    v.visit(
        text("atlas",
             "regions: a NIfTI stack of label planes with its table (docs/file_formats.md), auto "
             "(lobes of Colin 27 where the levels are its), or none"),
        atlas_);
    v.visit(text("out", "folder for evaluation.json, slices.tsv, maps.safetensors, suspects.png"),
            out_);
    v.visit(
        text("report", "HTML file to write: verdict, pictures, plots, tables; needs nothing else"),
        report_);
    v.visit(text("title", "heading of the report"), title_);
    v.visit(flag("json", "print the evaluation as JSON instead of its verdict"), json_);
    v.visit(number("threads", "CPU threads; 0 = all processors this process may use", 0, 1024),
            threads_);
  }

  int run(const std::vector<std::string>& command_line) override {
    require(run_.empty() || held_out_.empty(),
            "evaluate: --run knows who was held out; give --run or --held-out");
    DeviceSettings device;
    device.device = "cpu";
    device.threads = threads_;
    use_device(device);
    auto input = read_input();
    if (settings_.by.empty()) settings_.by = shared_conditions(input);
    std::unique_ptr<RunRecord> record;
    if (!out_.empty()) {
      record = std::make_unique<RunRecord>(out_, "evaluate", command_line, *this);
      for (const auto& file : input_files()) record->add_input(file);
    }
    input.atlas = atlas(input);
    const auto evaluation = evaluate_slices(input, settings_);
    if (!out_.empty()) write(input, evaluation);
    if (!report_.empty()) write_report(report_, input, evaluation, extras(command_line));
    print(evaluation);
    if (record) record->finish();
    return 0;
  }

 private:
  EvaluationInput read_input() const {
    EvaluationInput input;
    RunSplit run;
    if (!run_.empty()) {
      run = split_of_run(run_, cohort_);
    } else {
      run.cohort = read_cohort(cohort_);
      run.split = split_by_patient(run.cohort, held_out_);
    }
    const bool known = run.split.held_out.size() > 0;
    require(known || against_ != "held-out",
            "evaluate: --against held-out, but nobody was held out; name the patients with "
            "--held-out, or the run with --run");
    if (known && against_ != "all") {
      input.reference = set_of(run.split.held_out, "real");
      input.training = set_of(run.split.training, "training");
      input.reference_is_held_out = true;
    } else {
      input.reference = set_of(run.cohort, "real");
    }
    const auto names = set_names();
    for (size_t i = 0; i < synthetic_.size(); ++i)
      input.synthetic.push_back(read_set(synthetic_[i], names[i]));
    if (!where_.empty()) {
      for (const auto& clause : parse_filter(where_)) input.reference.table.column(clause.first);
      input.reference = rows_where(input.reference, where_);
      if (input.training.size() > 0) input.training = rows_where(input.training, where_);
      for (auto& set : input.synthetic) set = rows_where(set, where_);
    }
    return input;
  }

  /// The named atlas; or the template's planes where every set has levels and one is the
  /// template's.
  std::optional<RegionAtlas> atlas(const EvaluationInput& input) const {
    if (atlas_ == "none") return std::nullopt;
    if (atlas_ != "auto") return read_region_atlas(atlas_);
    std::set<std::string> levels;
    for (const auto& set : input.synthetic)
      if (!set.table.find_column("level")) return std::nullopt;
    if (!input.reference.table.find_column("level")) return std::nullopt;
    for (size_t row = 0; row < input.reference.table.rows.size(); ++row)
      levels.insert(input.reference.table.at(row, "level"));
    const bool known =
        std::any_of(scintigen::levels().begin(), scintigen::levels().end(),
                    [&](const Level& level) { return levels.count(level.name) > 0; });
    if (!known) return std::nullopt;
    const TemplateSettings files;
    if (!std::filesystem::exists(files.template_head)) {
      warn(
          fmt::format("{}: no such file, so no regional means; install mricron-data, or name an "
                      "atlas with --atlas",
                      files.template_head));
      return std::nullopt;
    }
    const auto planes = region_planes(load_template(files));
    return RegionAtlas{"Colin 27, AAL areas grouped to lobes", "level", planes.regions,
                       planes.planes};
  }

  std::vector<std::string> set_names() const {
    require(names_.empty() || names_.size() == synthetic_.size(),
            "evaluate: {} names for {} synthetic sets; expected one each", names_.size(),
            synthetic_.size());
    if (!names_.empty()) return names_;
    std::vector<std::string> names;
    for (const auto& folder : synthetic_) {
      auto path = std::filesystem::path(folder).lexically_normal();
      if (!path.has_filename()) path = path.parent_path();
      const auto name = path.filename().string();
      names.push_back(name.empty() || name == "." || name == ".." ? "synthetic" : name);
    }
    return names;
  }

  std::vector<std::filesystem::path> input_files() const {
    std::vector<std::filesystem::path> files;
    std::vector<std::string> folders = synthetic_;
    folders.push_back(cohort_);
    for (const auto& folder : folders)
      for (const char* name :
           {"cohort.json", "slices.tsv", "slices.safetensors", "synthetic.nii.gz"})
        if (std::filesystem::exists(std::filesystem::path(folder) / name))
          files.push_back(std::filesystem::path(folder) / name);
    if (!run_.empty()) {
      files.push_back(std::filesystem::path(run_) / "run.json");
      if (!report_.empty()) files.push_back(chosen_checkpoint(run_));
    }
    if (atlas_ != "auto" && atlas_ != "none") files.push_back(atlas_);
    return files;
  }

  void write(const EvaluationInput& input, const Evaluation& evaluation) const {
    const std::filesystem::path folder(out_);
    write_table(folder / "slices.tsv", evaluation.slices);
    std::map<std::string, torch::Tensor> maps;
    for (const auto& condition : evaluation.maps)
      for (size_t set = 0; set < evaluation.sets.size(); ++set) {
        if (!condition.mean[set].defined()) continue;
        const auto name = evaluation.sets[set] + "/" + condition.condition;
        maps["mean/" + name] = condition.mean[set].to(torch::kFloat);
        maps["sd/" + name] = condition.deviation[set].to(torch::kFloat);
      }
    write_tensors(folder / "maps.safetensors", maps);
    for (size_t set = 0; set < input.synthetic.size(); ++set)
      write_suspects(folder, input, evaluation.audits[set], set);
    write_file(folder / "evaluation.json", text_of(evaluation));
  }

  /// Each suspect above the training slice it is near to.
  static void write_suspects(const std::filesystem::path& folder, const EvaluationInput& input,
                             const SetAudit& audit, size_t set) {
    const auto file =
        folder / (input.synthetic.size() == 1 ? std::string("suspects.png")
                                              : fmt::format("suspects_{}.png", set + 1));
    std::filesystem::remove(file);  // of an earlier evaluation
    if (!audit.audit || audit.audit->suspects.empty()) return;
    const auto& all = audit.audit->suspects;
    std::vector<SheetRow> rows;
    constexpr size_t kColumns = 8;
    for (size_t first = 0; first < std::min(all.size(), kSuspectsPictured); first += kColumns) {
      std::vector<torch::Tensor> made, trained;
      std::vector<std::string> captions;
      for (size_t i = first; i < std::min({first + kColumns, all.size(), kSuspectsPictured}); ++i) {
        made.push_back(input.synthetic[set].slices[all[i].synthetic]);
        trained.push_back(input.training.slices[all[i].training]);
        captions.push_back(fmt::format("{:.3f}", all[i].distance));
      }
      rows.push_back({"synthetic", torch::stack(made), captions});
      rows.push_back({"training", torch::stack(trained), {}});
    }
    write_png(file, draw_sheet("Suspected copies and the training slices they are near to", rows,
                               fmt::format("Relative distance; suspected below {:.3f}. Holds real "
                                           "slices: not for publication.",
                                           audit.audit->threshold)));
  }

  ReportExtras extras(const std::vector<std::string>& command_line) {
    ReportExtras extras;
    extras.title = title_;
    if (!run_.empty())
      extras.interpolations = interpolation_strips(run_, static_cast<uint64_t>(settings_.seed));
    auto inputs = nlohmann::ordered_json::array();
    for (const auto& file : input_files())
      inputs.push_back({{"file", file.string()}, {"SHA-256", sha256_of_file(file)}});
    extras.settings = {{"program", fmt::format("scintigen {}", kVersion)},
                       {"command line", fmt::format("{}", fmt::join(command_line, " "))},
                       {"settings", settings_to_json(*this)},
                       {"inputs", inputs}};
    return extras;
  }

  static std::string text_of(const Evaluation& evaluation) {
    return evaluation_to_json(evaluation)
               .dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) +
           "\n";
  }

  void print(const Evaluation& evaluation) const {
    if (json_) {
      std::cout << text_of(evaluation);
      return;
    }
    std::cout << Error::one_line(evaluation.headline) << "\n";
    for (const auto& finding : evaluation.findings)
      std::cout << Error::one_line(fmt::format("  {:<8} {}: {}: {}", grade_word(finding.grade),
                                               finding.set, finding.subject, finding.sentence))
                << "\n";
    for (const auto& warning : evaluation.warnings)
      std::cout << Error::one_line("  note: " + warning) << "\n";
  }

  std::string cohort_, run_, against_ = "auto", where_, atlas_ = "auto", out_, report_, title_;
  std::vector<std::string> synthetic_, names_, held_out_;
  EvaluationSettings settings_;
  bool json_ = false;
  int64_t threads_ = 0;
};

}  // namespace

CommandEntry evaluate_command() {
  return {
      "evaluate",
      "Compare synthetic slices with real ones: verdict, report, audit for copies",
      "Compares by condition: mean counts, left/right balance, regional means, with equivalence "
      "margins and intervals by patient; pixel-wise mean and SD maps; distances between the "
      "sets in two feature spaces; the nearest training slice of each synthetic one. With "
      "`--run` the real side is the patients who were not trained on, and copies are looked "
      "for. Prints a verdict in words; `--report` writes one HTML file that needs no network and "
      "no other file; `--out` keeps every figure (docs/file_formats.md).",
      "scintigen evaluate cohort --synthetic synthetic --run run --report report.html",
      [] { return std::unique_ptr<Command>(new Evaluate); },
      false};
}

}  // namespace scintigen
