// SPDX-License-Identifier: Apache-2.0
// scintigen compare: scores of several methods on the same slices, paired.
#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "core/atomic_file.h"
#include "core/error.h"
#include "core/progress.h"
#include "core/run_record.h"
#include "metrics/score_study.h"
#include "report/score_report.h"

namespace scintigen {
namespace {

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts(1);
  for (const char letter : text) {
    if (letter == at)
      parts.emplace_back();
    else
      parts.back() += letter;
  }
  return parts;
}

std::vector<std::string> methods_of(const Table& table) {
  std::vector<std::string> found;
  if (!table.find_column("method")) return found;
  for (size_t row = 0; row < table.rows.size(); ++row)
    if (std::find(found.begin(), found.end(), table.at(row, "method")) == found.end())
      found.push_back(table.at(row, "method"));
  return found;
}

Table rows_of_method(const Table& table, const std::string& method) {
  if (method.empty()) return table;
  const auto there = methods_of(table);
  require(std::find(there.begin(), there.end(), method) != there.end(),
          "--method {}: not in {}; there are: {}", method, table.name,
          there.empty() ? "none" : fmt::format("{}", fmt::join(there, ", ")));
  Table kept{table.name, table.columns, {}};
  for (size_t row = 0; row < table.rows.size(); ++row)
    if (table.at(row, "method") == method) kept.rows.push_back(table.rows[row]);
  return kept;
}

class Compare : public Command {
 public:
  void visit(SettingsVisitor& v) override {
    v.visit(positional(required(text("scores",
                                     "score tables by slice (participant_id, slice, measures; "
                                     "scores.csv of `scintigen translate --score`)"))),
            scores_);
    v.visit(text("method",
                 "rows to take where a table has a column of that name: one for each table; "
                 "default: its first; of a lone table: all, each a method"),
            methods_);
    v.visit(text("name",
                 "of each table; with --factor its level of each factor, / between them "
                 "(MRI/native); default: the method, or the file's folder"),
            names_);
    v.visit(text("factor", "what the parts of the names are (input,space); default: method"),
            factors_);
    v.visit(text("measure", "columns to compare by"), measures_);
    v.visit(required(text("out", "folder for by_patient.csv, methods.csv, differences.csv")), out_);
    v.visit(text("report", "HTML file to write: answers, violins, tables; needs nothing else"),
            report_);
    v.visit(text("title", "heading of the report"), title_);
    v.visit(text("note", "a line of the report: what was compared"), note_);
  }

  int run(const std::vector<std::string>& command_line) override {
    const auto study = study_scores(read_methods(), factors_, measures_);
    const std::filesystem::path out(out_);
    RunRecord record(out, "compare", command_line, *this);
    for (const auto& file : scores_) record.add_input(file);
    write_table(out / "by_patient.csv", patients_table(study));
    write_table(out / "methods.csv", methods_table(study));
    write_table(out / "differences.csv", differences_table(study));
    if (!report_.empty()) {
      ScoreReportExtras extras;
      extras.title = title_;
      extras.note = note_;
      extras.settings = settings_to_json(*this);
      write_file(report_, score_page(study, extras));
      say("report: " + report_);
    }
    tell(study);
    record.finish();
    return 0;
  }

 private:
  std::vector<MethodScores> read_methods() {
    if (factors_.empty()) factors_ = {"method"};
    std::vector<Table> tables;
    for (const auto& file : scores_) tables.push_back(read_table(file));
    if (tables.size() == 1 && methods_.empty()) methods_ = methods_of(tables[0]);
    if (tables.size() == 1)
      while (tables.size() < methods_.size()) tables.push_back(tables.front());
    require(methods_.empty() || methods_.size() == tables.size(),
            "--method: {} for {} tables; give one for each", methods_.size(), tables.size());
    require(names_.empty() || names_.size() == tables.size(),
            "--name: {} for {} tables; give one for each", names_.size(), tables.size());
    std::vector<MethodScores> methods;
    for (size_t t = 0; t < tables.size(); ++t) {
      const auto& table = tables[t];
      const auto there = methods_of(table);
      const auto method = !methods_.empty() ? methods_[t] : there.empty() ? "" : there.front();
      auto name = tables.size() > 1 && scores_.size() == 1 ? method : folder_name(t);
      if (!names_.empty()) name = names_[t];
      const auto levels = factors_.size() > 1 ? split(name, '/') : std::vector<std::string>{name};
      require(levels.size() == factors_.size(),
              "--name {}: {} parts; expected one for each of {}, / between them", name,
              levels.size(), fmt::join(factors_, ", "));
      methods.push_back({levels, rows_of_method(table, method)});
    }
    return methods;
  }

  std::string folder_name(size_t t) const {
    const std::filesystem::path file(scores_[std::min(t, scores_.size() - 1)]);
    const auto parent = std::filesystem::absolute(file).parent_path().filename().string();
    return parent.empty() ? file.stem().string() : parent;
  }

  void tell(const ScoreStudy& study) const {
    for (size_t m = 0; m < study.measures.size(); ++m) {
      for (size_t method = 0; method < study.methods.size(); ++method)
        say(fmt::format("{:<6} {}: {:.4f}, SD {:.4f} over {} patients", study.measures[m],
                        study.method_name(method), spread_of(study.values[m][method].patients).mean,
                        spread_of(study.values[m][method].patients).sd, study.participants.size()));
    }
    for (const auto& difference : study.differences) {
      if (difference.combinations == 1 && study.factors.size() > 1) continue;
      for (size_t m = 0; m < study.measures.size(); ++m) {
        const auto& test = difference.measures[m].by_patient;
        auto line =
            fmt::format("{:<6} {}: {} - {}: ", study.measures[m], study.factors[difference.factor],
                        difference.second, difference.first);
        if (!test.not_computed.empty())
          line += "not computed: " + test.not_computed;
        else
          line += fmt::format("{:+.4f}", test.figure("difference"));
        if (test.interval)
          line += fmt::format(" [{:+.4f}, {:+.4f}]", test.interval->low, test.interval->high);
        if (test.p) line += fmt::format(", p = {:.3g}", *test.p);
        say(line);
      }
    }
  }

  std::vector<std::string> scores_, methods_, names_, factors_;
  std::vector<std::string> measures_ = {"rmse", "ssim", "psnr"};
  std::string out_, report_, title_, note_;
};

}  // namespace

CommandEntry compare_command() {
  return {
      "compare", "Scores of several methods on the same slices: paired by patient, with a report",
      "Reads score tables by slice and puts methods beside one another: mean, SD and coefficient "
      "of variation over patients and over slices, and paired t tests between methods that differ "
      "in one factor, in each combination of the other factors and averaged over them. By patient "
      "is what may be concluded from; by slice is what papers print. Slices are paired by their "
      "order within a patient. Every table must have the same patients with as many slices.",
      "scintigen compare mri/scores.csv pet/scores.csv --name MRI,PET --out compared "
      "--report compared.html",
      [] { return std::unique_ptr<Command>(new Compare); }};
}

}  // namespace scintigen
