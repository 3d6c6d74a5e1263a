// SPDX-License-Identifier: Apache-2.0
// Last step of evaluate_slices(): what the numbers mean, in words.
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "metrics/evaluation_parts.h"

namespace scintigen {
namespace {

using Grade = Finding::Grade;

// Held-out slices are below the copy threshold in 1 % by its definition.
constexpr double kUsualSuspects = 0.02, kManySuspects = 0.05;
constexpr double kMembershipShows = 0.6;
constexpr double kSurelyTold = 0.75;  // nearest-neighbour accuracy
constexpr double kFarFromReal = 2;    // times as far as other real people are
constexpr int64_t kFewPatients = 20, kFewPatientsInCondition = 10;

std::string in_sd(const QuantityDifference& difference) {
  return fmt::format("{:+.2f} SD, {:+.2f} to {:+.2f}", *difference.difference,
                     difference.interval->low, difference.interval->high);
}

std::string names(const std::vector<std::string>& all, size_t most = 3) {
  const std::vector<std::string> some(
      all.begin(), all.begin() + static_cast<int64_t>(std::min(all.size(), most)));
  return fmt::format("{}{}", fmt::join(some, "; "),
                     all.size() > most ? fmt::format("; and {} more", all.size() - most) : "");
}

/// Differences of a set by what they are, the largest first.
struct ByAgreement {
  std::vector<std::pair<double, std::string>> different;
  size_t equivalent = 0, undecided = 0, unknown = 0;

  ByAgreement(const Quantity& quantity, size_t set) {
    for (const auto& condition : quantity.conditions) {
      const auto& difference = condition.sets[set];
      equivalent += difference.agreement == Agreement::equivalent;
      undecided += difference.agreement == Agreement::undecided;
      unknown += difference.agreement == Agreement::unknown;
      if (difference.agreement == Agreement::different)
        different.emplace_back(-std::abs(*difference.difference),
                               fmt::format("{} ({})", condition.condition, in_sd(difference)));
    }
    std::sort(different.begin(), different.end());
  }
  size_t known() const { return equivalent + different.size() + undecided; }
  double largest() const { return different.empty() ? 0 : -different.front().first; }
};

Finding judge_quantity(const Quantity& quantity, size_t set, const EvaluationSettings& settings) {
  Finding finding;
  finding.subject = quantity.name;
  const ByAgreement found(quantity, set);
  if (found.known() == 0) {
    finding.sentence = "too few slices or patients to tell in any condition.";
    return finding;
  }
  finding.sentence =
      fmt::format("equivalent to the real slices within {:g} SD in {} of {} conditions",
                  settings.margin, found.equivalent, found.known());
  if (found.undecided > 0) finding.sentence += fmt::format(", undecided in {}", found.undecided);
  if (!found.different.empty()) {
    std::vector<std::string> texts;
    for (const auto& entry : found.different) texts.push_back(entry.second);
    finding.sentence += fmt::format(", different in {}: {}", texts.size(), names(texts, 2));
  }
  if (found.unknown > 0)
    finding.sentence += fmt::format("; {} more have too few slices", found.unknown);
  finding.sentence += ".";
  finding.grade = found.largest() > settings.margin                 ? Grade::bad
                  : found.different.empty() && found.undecided == 0 ? Grade::good
                                                                    : Grade::caution;
  return finding;
}

Finding judge_variety(const Evaluation& evaluation, size_t set,
                      const EvaluationSettings& settings) {
  Finding finding;
  finding.subject = "Variety";
  std::vector<std::string> outside, open;
  size_t known = 0, inside = 0;
  double sum = 0;
  for (const auto& maps : evaluation.maps) {
    const auto& ratio = maps.deviation_ratio[set + 1];
    if (!ratio) continue;
    ++known;
    sum += std::log(*ratio);
    const auto& interval = maps.ratio_interval[set + 1];
    const auto text = fmt::format(
        "{} ({:.2f}{})", maps.condition, *ratio,
        interval ? fmt::format(", {:.2f} to {:.2f}", interval->low, interval->high) : "");
    const bool within = *ratio >= settings.smallest_variety && *ratio <= settings.largest_variety;
    inside += within;
    if (!within) {
      const bool sure = interval && (interval->high < settings.smallest_variety ||
                                     interval->low > settings.largest_variety);
      (sure ? outside : open).push_back(text);
    }
  }
  if (known == 0) {
    finding.sentence = "no condition has enough slices for a pixel-wise SD.";
    return finding;
  }
  finding.sentence = fmt::format(
      "mean pixel-wise SD is {:.2f} of the real one (geometric mean), within {:g} to {:g} in {} of "
      "{} conditions",
      std::exp(sum / static_cast<double>(known)), settings.smallest_variety,
      settings.largest_variety, inside, known);
  if (!outside.empty()) finding.sentence += "; outside in " + names(outside);
  if (!open.empty()) finding.sentence += "; outside, though the interval is not, in " + names(open);
  finding.sentence += ".";
  finding.grade = !outside.empty() ? Grade::bad : !open.empty() ? Grade::caution : Grade::good;
  return finding;
}

const DistanceValue* value_of(const Evaluation& evaluation, const std::string& distance,
                              const std::string& set) {
  for (const auto& space : evaluation.features)
    for (const auto& entry : space.distances)
      if (entry.key == distance)
        for (const auto& value : entry.values)
          if (value.set == set && value.value) return &value;
  return nullptr;
}

Finding judge_distribution(const Evaluation& evaluation, const std::string& set) {
  Finding finding;
  finding.subject = "Distribution";
  const auto* energy = value_of(evaluation, "energy", set);
  const auto* people = value_of(evaluation, "energy", "training");
  const auto* neighbour = value_of(evaluation, "neighbour_accuracy", set);
  const auto* coverage = value_of(evaluation, "coverage", set);
  if (!energy) {
    finding.sentence = "too few slices for distances between the sets.";
    return finding;
  }
  finding.sentence = fmt::format("energy distance to the real slices {:.3f}", *energy->value);
  if (energy->interval)
    finding.sentence +=
        fmt::format(" ({:.3f} to {:.3f})", energy->interval->low, energy->interval->high);
  if (people) {
    finding.sentence += fmt::format(" where the training patients have {:.3f}", *people->value);
    if (people->interval)
      finding.sentence +=
          fmt::format(" ({:.3f} to {:.3f})", people->interval->low, people->interval->high);
  }
  if (neighbour)
    finding.sentence +=
        fmt::format("; a nearest-neighbour classifier tells {:.0f} % right (50 % = cannot)",
                    100 * *neighbour->value);
  if (coverage)
    finding.sentence += fmt::format("; {:.0f} % of the real slices have a synthetic one near them",
                                    100 * *coverage->value);
  finding.sentence += ".";
  if (!people || !people->interval || !energy->interval) {
    // Nothing says what is attainable; but what a neighbour tells apart so surely is not alike.
    if (neighbour && neighbour->interval && neighbour->interval->low > kSurelyTold)
      finding.grade = Grade::bad;
    return finding;
  }
  const double attainable = std::max(people->interval->high, 0.0);
  finding.grade = *energy->value <= attainable                         ? Grade::good
                  : energy->interval->low <= kFarFromReal * attainable ? Grade::caution
                                                                       : Grade::bad;
  return finding;
}

Finding judge_copies(const SetAudit& audit) {
  Finding finding;
  finding.subject = "Copies of training slices";
  if (!audit.audit) {
    finding.sentence = "not audited: " + audit.why + ".";
    return finding;
  }
  finding.sentence = fmt::format(
      "{} of {} slices ({:.1f} %) are nearer to a training slice than {}; membership shows with an "
      "area under the curve of {:.2f}{} (0.5 = not at all).",
      audit.audit->suspects.size(), audit.audit->synthetic.numel(), 100 * audit.suspect_share,
      audit.audit->threshold_is_minimum ? "any held-out slice is"
                                        : "99 % of the held-out slices are",
      audit.audit->membership_auc,
      audit.auc_interval
          ? fmt::format(" ({:.2f} to {:.2f})", audit.auc_interval->low, audit.auc_interval->high)
          : "");
  const bool shows = audit.auc_interval && audit.auc_interval->low > 0.5;
  const bool many = audit.suspect_share > kManySuspects;
  if (many && !shows)
    finding.sentence +=
        " Blurred slices lie near to everything, and so do these: it is not the training slices "
        "that they are nearer to.";
  finding.grade = (shows && (many || audit.auc_interval->low > kMembershipShows)) ? Grade::bad
                  : shows || audit.suspect_share > kUsualSuspects                 ? Grade::caution
                                                                                  : Grade::good;
  return finding;
}

/// Regions: many figures, one line.
std::optional<Finding> judge_regions(const Evaluation& evaluation, size_t set,
                                     const EvaluationSettings& settings) {
  size_t known = 0, equivalent = 0;
  std::vector<std::pair<double, std::string>> far;
  for (const auto& quantity : evaluation.quantities) {
    if (quantity.key.rfind("region_", 0) != 0) continue;
    for (const auto& condition : quantity.conditions) {
      const auto& difference = condition.sets[set];
      if (!difference.difference) continue;
      ++known;
      equivalent += difference.agreement == Agreement::equivalent;
      if (difference.agreement == Agreement::different &&
          std::abs(*difference.difference) > settings.margin)
        far.emplace_back(-std::abs(*difference.difference),
                         fmt::format("{} at {} ({:+.2f} SD)", quantity.name, condition.condition,
                                     *difference.difference));
    }
  }
  if (known == 0) return std::nullopt;
  std::sort(far.begin(), far.end());
  std::vector<std::string> texts;
  for (const auto& entry : far) texts.push_back(entry.second);
  Finding finding;
  finding.subject = "Regional means";
  finding.sentence = fmt::format(
      "equivalent within {:g} SD in {} of {} pairs of region and condition{}.", settings.margin,
      equivalent, known, texts.empty() ? "" : "; farthest: " + names(texts));
  const double share = static_cast<double>(equivalent) / static_cast<double>(known);
  finding.grade = share > 0.95 ? Grade::good
                  : static_cast<double>(far.size()) > 0.2 * static_cast<double>(known)
                      ? Grade::bad
                      : Grade::caution;
  return finding;
}

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
      "p-values are {} on patients' means, adjusted over conditions after Holm. Variety is the "
      "ratio "
      "of mean pixel-wise standard deviations in the brain, with jackknife intervals over groups "
      "of "
      "patients. ",
      input.reference.size(), reference.patients_in(0, 0),
      input.reference_is_held_out ? " who had not been trained on" : "",
      evaluation.conditions.size(), settings.mask_threshold,
      settings.midline == "mask" ? "mask" : "matrix", settings.resamples, settings.margin,
      input.synthetic.size() > 1 ? "of Dunnett's test against the real slices"
                                 : "of Welch's t test");
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

const char* grade_word(Finding::Grade grade) {
  switch (grade) {
    case Grade::good:
      return "good";
    case Grade::caution:
      return "caution";
    case Grade::bad:
      return "bad";
    case Grade::unknown:
      break;
  }
  return "unknown";
}

void judge(Evaluation& evaluation, const EvaluationInput& input,
           const EvaluationSettings& settings) {
  for (size_t set = 0; set < input.synthetic.size(); ++set) {
    const auto& name = input.synthetic[set].name;
    std::vector<Finding> findings;
    for (const auto& quantity : evaluation.quantities)
      if (quantity.judged) findings.push_back(judge_quantity(quantity, set, settings));
    if (auto regions = judge_regions(evaluation, set, settings)) findings.push_back(*regions);
    findings.push_back(judge_variety(evaluation, set, settings));
    findings.push_back(judge_distribution(evaluation, name));
    findings.push_back(judge_copies(evaluation.audits[set]));
    for (auto& finding : findings) {
      finding.set = name;
      evaluation.findings.push_back(std::move(finding));
    }
  }
  warn(evaluation, input);
  write_headline(evaluation);
  evaluation.methods = methods_paragraph(evaluation, input, settings);
}

}  // namespace scintigen
