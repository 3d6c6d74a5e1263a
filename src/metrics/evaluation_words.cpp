// SPDX-License-Identifier: Apache-2.0
// The words of an evaluation that are not findings: warnings, headline, methods.
#include <fmt/ranges.h>

#include <algorithm>

#include "core/error.h"
#include "metrics/evaluation_parts.h"

namespace scintigen {

std::string names(const std::vector<std::string>& all, size_t most) {
  const std::vector<std::string> some(
      all.begin(), all.begin() + static_cast<int64_t>(std::min(all.size(), most)));
  return fmt::format("{}{}", fmt::join(some, "; "),
                     all.size() > most ? fmt::format("; and {} more", all.size() - most) : "");
}

namespace {

using Grade = Finding::Grade;

constexpr int64_t kFewPatients = 20, kFewPatientsInCondition = 10;

void warn(Evaluation& evaluation, const EvaluationInput& input) {
  auto& warnings = evaluation.warnings;
  SortedSets reference = sort_sets(input, {});
  const int64_t people = reference.patients_in(0, 0);
  if (!input.reference_is_held_out)
    warnings.push_back(
        "the real slices may have been trained on: agreement with them is partly memory");
  if (people < kFewPatients)
    warnings.push_back(fmt::format(
        "n is small: {} patients stand for the population; intervals by bootstrap are too narrow "
        "below {}",
        people, kFewPatients));
  std::vector<std::string> few, unseen, unmade;
  for (size_t condition = 0; condition < evaluation.conditions.size(); ++condition) {
    const auto& name = evaluation.conditions[condition];
    const auto real = evaluation.counts[0][condition];
    if (real == 0)
      unseen.push_back(name);
    else if (evaluation.patients[condition] < kFewPatientsInCondition)
      few.push_back(
          fmt::format("{} ({} slices of {} patients)", name, real, evaluation.patients[condition]));
    for (size_t set = 1; set < evaluation.sets.size(); ++set)
      if (real > 0 && evaluation.counts[set][condition] == 0)
        unmade.push_back(fmt::format("{} in '{}'", name, evaluation.sets[set]));
  }
  if (!few.empty())
    warnings.push_back(
        fmt::format("fewer than {} real patients in {}", kFewPatientsInCondition, names(few, 8)));
  if (!unseen.empty())
    warnings.push_back("no real slice, so nothing can be said of " + names(unseen, 8));
  if (!unmade.empty()) warnings.push_back("no synthetic slice of " + names(unmade, 8));
  if (input.reference.size() > people)
    warnings.push_back(fmt::format(
        "slices stand for patients: {} real slices of {} patients. Means and SDs are of slices; "
        "intervals draw patients and p-values are of patients' means",
        input.reference.size(), people));
}

void write_headline(Evaluation& evaluation) {
  size_t bad = 0, good = 0, open = 0;
  for (const auto& finding : evaluation.findings) {
    bad += finding.grade == Grade::bad;
    good += finding.grade == Grade::good;
    open += finding.grade == Grade::caution || finding.grade == Grade::unknown;
  }
  const size_t all = evaluation.findings.size();
  if (bad > 0)
    evaluation.headline = fmt::format(
        "Not a substitute for these real slices: {} of {} checks failed, {} passed, {} are open.",
        bad, all, good, open);
  else if (open > 0)
    evaluation.headline = fmt::format(
        "No check failed, and {} of {} passed; {} are open, for want of data or near the limit.",
        good, all, open);
  else
    evaluation.headline =
        fmt::format("All {} checks passed within their margins. No reader has been asked.", all);
}

std::string methods_paragraph(const Evaluation& evaluation, const EvaluationInput& input,
                              const EvaluationSettings& settings) {
  SortedSets reference = sort_sets(input, {});
  std::string text = fmt::format(
      "Synthetic slices were compared with {} real slices of {} patients{} in {} conditions "
      "(scintigen). Mean counts (mean / maximum of the slice), |ln| of the left/right ratio of "
      "mean "
      "counts in a brain mask (above {:g} of the maximum; mid-sagittal plane: middle of the {}) "
      "and the "
      "share of slices with the lower left half were compared by condition; means were called "
      "equivalent where the 90 % bootstrap interval of their difference ({} resamples, patients "
      "drawn) lay within {:g} standard deviations of the real slices (two one-sided tests at 5 %). "
      "p-values are of Welch's t test on patients' means, adjusted over conditions after Holm. "
      "Variety is the "
      "ratio "
      "of mean pixel-wise standard deviations in the brain, with jackknife intervals over groups "
      "of "
      "patients. ",
      input.reference.size(), reference.patients_in(0, 0),
      input.reference_is_held_out ? " who had not been trained on" : "",
      evaluation.conditions.size(), settings.mask_threshold,
      settings.midline == "mask" ? "mask" : "matrix", settings.resamples, settings.margin);
  if (!evaluation.features.empty()) {
    std::vector<std::string> spaces;
    for (const auto& space : evaluation.features) spaces.push_back(space.definition);
    text += fmt::format(
        "Energy distance, kernel distance, sliced Wasserstein distance, precision, recall, "
        "density, "
        "coverage and the nearest-neighbour test were computed on {}, with delete-a-group "
        "jackknife "
        "intervals. ",
        fmt::join(spaces, " and on "));
  }
  if (!evaluation.audits.empty() && evaluation.audits.front().audit)
    text += fmt::format(
        "Each synthetic slice's distance to its nearest training slice over flips and shifts of up "
        "to {} pixels was compared with that of held-out slices; those below their 1st percentile "
        "are listed as suspected copies. Membership inference is the area under the curve of "
        "telling training from held-out slices by the distance to the nearest synthetic slice. ",
        settings.shift_px);
  text += "No reader study was done.";
  return text;
}

}  // namespace

void describe(Evaluation& evaluation, const EvaluationInput& input,
              const EvaluationSettings& settings) {
  warn(evaluation, input);
  write_headline(evaluation);
  evaluation.methods = methods_paragraph(evaluation, input, settings);
}

}  // namespace scintigen
