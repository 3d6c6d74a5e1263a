// SPDX-License-Identifier: Apache-2.0
#include "report/report.h"

#include "core/atomic_file.h"
#include "core/error.h"
#include "report/page.h"

namespace scintigen {
namespace {

void check_slices(const torch::Tensor& slices, const std::string& what) {
  require(slices.defined() && slices.dim() == 3 && slices.size(1) > 0 && slices.size(2) > 0,
          "report: {} are not [N,H,W]", what);
}

void check(const EvaluationInput& input, const Evaluation& evaluation, const ReportExtras& extras) {
  require(evaluation.sets.size() == 1 + input.synthetic.size(),
          "report: the evaluation is of {} sets; expected {}: the reference and each synthetic set",
          evaluation.sets.size(), 1 + input.synthetic.size());
  check_slices(input.reference.slices, "the reference's slices");
  for (size_t s = 0; s < input.synthetic.size(); ++s) {
    require(evaluation.sets[s + 1] == input.synthetic[s].name,
            "report: the evaluation's set {} is '{}'; expected '{}'", s + 1, evaluation.sets[s + 1],
            input.synthetic[s].name);
    check_slices(input.synthetic[s].slices, "slices of '" + input.synthetic[s].name + "'");
  }
  if (input.training.slices.defined()) check_slices(input.training.slices, "training slices");
  for (const auto& strip : extras.interpolations)
    if (strip.slices.defined()) check_slices(strip.slices, "slices of '" + strip.label + "'");
}

std::string title_of(const ReportExtras& extras) {
  return extras.title.empty() ? "Synthetic against real slices" : extras.title;
}

std::string dateline(const Page& page) {
  const Evaluation& evaluation = page.evaluation;
  std::string text = evaluation.sets[0] + ": " + counted(page.input.reference.size(), "slice");
  for (const SliceSet& set : page.input.synthetic)
    text += "; " + set.name + ": " + counted(set.size(), "slice");
  text += "; " + counted(static_cast<int64_t>(evaluation.conditions.size()), "condition");
  return text + ". " + written_by();
}

}  // namespace

std::string report_page(const EvaluationInput& input, const Evaluation& evaluation,
                        const ReportExtras& extras) {
  check(input, evaluation, extras);
  Page page(input, evaluation, extras);
  for (const auto section :
       {write_verdict, write_counts, write_sheets, write_quantities, write_maps, write_distances,
        write_audit, write_interpolations, write_tests, write_settings, write_methods})
    section(page);
  PageFrame frame;
  frame.title = title_of(extras);
  frame.kicker = "Synthetic against real SPECT slices";
  frame.dateline = dateline(page);
  frame.warning =
      "Research, not diagnosis. Synthetic slices were made by a program; no clinical decision may "
      "rest on them or on this report.";
  frame.sets = evaluation.sets;
  const auto participant = evaluation.slices.find_column("participant_id");
  for (const auto& row : evaluation.slices.rows)
    frame.rows.push_back(participant ? row[*participant] : std::string());
  return whole_page(page, frame);
}

void write_report(const std::filesystem::path& path, const EvaluationInput& input,
                  const Evaluation& evaluation, const ReportExtras& extras) {
  write_file(path, report_page(input, evaluation, extras));
}

}  // namespace scintigen
