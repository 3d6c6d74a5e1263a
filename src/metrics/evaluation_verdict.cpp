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

// Of n held-out slices one in 100, or with fewer the least, stands at the copy threshold: so do
// 1 % or 1 / (n + 1) of the slices of a perfect generator.
constexpr double kUsualSuspects = 0.02, kManySuspects = 0.05;
constexpr double kSignificant = 0.05 / 3;  // for three judged quantities, each adjusted by itself
constexpr double kExactCopy = 0.5;         // of the least held-out distance
constexpr double kMembershipShows = 0.6;
constexpr double kSurelyTold = 0.75;  // nearest-neighbour accuracy
constexpr double kFarFromReal = 2;    // times as far as other real people are
constexpr int64_t kFewestPatientsForDistances = 10;

std::string in_sd(const QuantityDifference& difference) {
  return fmt::format("{:+.2f} SD, {:+.2f} to {:+.2f}", *difference.difference,
                     difference.interval->low, difference.interval->high);
}

/// Differences of a set by what they are, the largest first.
struct ByAgreement {
  std::vector<std::pair<double, std::string>> different;
  size_t equivalent = 0, undecided = 0, unknown = 0;
  size_t beyond = 0;  ///< the whole interval is outside of the margin, and p is small
  std::string why;    ///< of the first that is unknown

  ByAgreement(const Quantity& quantity, size_t set, double margin) {
    for (const auto& condition : quantity.conditions) {
      const auto& difference = condition.sets[set];
      equivalent += difference.agreement == Agreement::equivalent;
      undecided += difference.agreement == Agreement::undecided;
      unknown += difference.agreement == Agreement::unknown;
      if (difference.agreement == Agreement::unknown && why.empty()) why = difference.why;
      const bool outside = difference.interval && (difference.interval->low > margin ||
                                                   difference.interval->high < -margin);
      // Of many conditions with few patients some interval misses by chance: p is adjusted for it.
      beyond += outside && (!difference.adjusted_p || *difference.adjusted_p < kSignificant);
      if (difference.agreement == Agreement::different)
        different.emplace_back(-std::abs(*difference.difference),
                               fmt::format("{} ({})", condition.condition, in_sd(difference)));
    }
    std::sort(different.begin(), different.end());
  }
  size_t known() const { return equivalent + different.size() + undecided; }
};

Finding judge_quantity(const Quantity& quantity, size_t set, const EvaluationSettings& settings) {
  Finding finding;
  finding.subject = quantity.name;
  const ByAgreement found(quantity, set, settings.margin);
  if (found.known() == 0) {
    finding.sentence = fmt::format("nothing can be told in any condition ({}).", found.why);
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
    finding.sentence +=
        fmt::format("; nothing can be told in {} more ({})", found.unknown, found.why);
  finding.sentence += ".";
  finding.grade = found.beyond > 0                                 ? Grade::bad
                  : found.equivalent == quantity.conditions.size() ? Grade::good
                                                                   : Grade::caution;
  return finding;
}

Finding judge_variety(const Evaluation& evaluation, size_t set,
                      const EvaluationSettings& settings) {
  Finding finding;
  finding.subject = "Variety";
  std::vector<std::string> outside, open;
  size_t inside = 0, unknown = 0;
  double sum = 0;
  for (const auto& maps : evaluation.maps) {
    const auto& ratio = maps.deviation_ratio[set + 1];
    const auto& interval = maps.ratio_interval[set + 1];
    if (!ratio) {
      ++unknown;
      continue;
    }
    sum += std::log(std::max(*ratio, 1e-6));
    const auto text =
        fmt::format("{} ({:.2f}{})", maps.condition, *ratio,
                    interval ? fmt::format(", {:.2f} to {:.2f}", interval->low, interval->high)
                             : std::string(", no interval"));
    // Images that are all the same have no interval, and need none.
    const double low = interval ? interval->low : *ratio < 0.1 ? *ratio : 0;
    const double high = interval ? interval->high : *ratio < 0.1 ? *ratio : 1e9;
    if (low >= settings.smallest_variety && high <= settings.largest_variety)
      ++inside;
    else if (high < settings.smallest_variety || low > settings.largest_variety)
      outside.push_back(text);
    else
      open.push_back(text);
  }
  const size_t known = evaluation.maps.size() - unknown;
  if (known == 0) {
    finding.sentence = "no condition has two real and two synthetic slices.";
    return finding;
  }
  finding.sentence = fmt::format(
      "mean pixel-wise SD is {:.2f} of the real one (geometric mean); within {:g} to {:g} with its "
      "interval in {} of {} conditions",
      std::exp(sum / static_cast<double>(known)), settings.smallest_variety,
      settings.largest_variety, inside, evaluation.maps.size());
  if (!outside.empty()) finding.sentence += ", outside in " + names(outside);
  if (!open.empty()) finding.sentence += ", across the limit in " + names(open);
  finding.sentence += ".";
  finding.grade = !outside.empty()                   ? Grade::bad
                  : inside == evaluation.maps.size() ? Grade::good
                                                     : Grade::caution;
  return finding;
}

/// A generator that does not make what real people have cannot pass by what it makes.
std::optional<Finding> judge_conditions(const Evaluation& evaluation, size_t set) {
  std::vector<std::string> missing;
  for (size_t condition = 0; condition < evaluation.conditions.size(); ++condition)
    if (evaluation.counts[0][condition] > 0 && evaluation.counts[set + 1][condition] == 0)
      missing.push_back(evaluation.conditions[condition]);
  if (missing.empty()) return std::nullopt;
  Finding finding;
  finding.subject = "Conditions";
  finding.grade = Grade::bad;
  finding.sentence = "no synthetic slice of " + names(missing) + ".";
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

Finding judge_distribution(const Evaluation& evaluation, const std::string& set, int64_t patients) {
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
  finding.sentence = fmt::format("{}: energy distance to the real slices {:.3f}",
                                 evaluation.features.front().name, *energy->value);
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
  if (patients < kFewestPatientsForDistances) return finding;  // a jackknife of few is no interval
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
  const auto& found = *audit.audit;
  const auto strangers = static_cast<double>(found.held_out.numel());
  const double least = found.held_out.min().item<double>();
  int64_t exact = 0;
  for (const auto& suspect : found.suspects) exact += suspect.distance < kExactCopy * least;
  finding.sentence = fmt::format(
      "{} of {} slices ({:.1f} %) are nearer to a training slice than {}, {} of them less than "
      "half "
      "as far as any; membership shows with an area under the curve of {:.2f}{} (0.5 = not at "
      "all).",
      found.suspects.size(), found.synthetic.numel(), 100 * audit.suspect_share,
      found.threshold_is_minimum ? "any held-out slice is" : "99 % of the held-out slices are",
      exact, found.membership_auc,
      audit.auc_interval
          ? fmt::format(" ({:.2f} to {:.2f})", audit.auc_interval->low, audit.auc_interval->high)
          : ", of which too few patients give no interval");
  const bool many = audit.suspect_share > std::max(kManySuspects, 4 / (strangers + 1));
  const bool some = audit.suspect_share > std::max(kUsualSuspects, 2 / (strangers + 1));
  const bool shows = audit.auc_interval && audit.auc_interval->low > 0.5;
  const bool surely = shows && (many || audit.auc_interval->low > kMembershipShows);
  if (many && audit.auc_interval && !shows)
    finding.sentence +=
        " Blurred slices lie near to everything: these are no nearer to training slices than to "
        "held-out ones.";
  finding.grade = surely || (exact > 0 && many) ? Grade::bad
                  : shows || some || exact > 0  ? Grade::caution
                  : audit.auc_interval          ? Grade::good
                                                : Grade::unknown;
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
      if (difference.interval->low > settings.margin ||
          difference.interval->high < -settings.margin)
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
      equivalent, known, texts.empty() ? "" : "; surely beyond it: " + names(texts));
  const double share = static_cast<double>(equivalent) / static_cast<double>(known);
  finding.grade = share > 0.95 ? Grade::good
                  : static_cast<double>(far.size()) > 0.2 * static_cast<double>(known)
                      ? Grade::bad
                      : Grade::caution;
  return finding;
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
  const int64_t people = sort_sets(input, {}).patients_in(0, 0);
  for (size_t set = 0; set < input.synthetic.size(); ++set) {
    const auto& name = input.synthetic[set].name;
    std::vector<Finding> findings;
    if (auto missing = judge_conditions(evaluation, set)) findings.push_back(*missing);
    for (const auto& quantity : evaluation.quantities)
      if (quantity.judged) findings.push_back(judge_quantity(quantity, set, settings));
    if (auto regions = judge_regions(evaluation, set, settings)) findings.push_back(*regions);
    findings.push_back(judge_variety(evaluation, set, settings));
    findings.push_back(judge_distribution(evaluation, name, people));
    findings.push_back(judge_copies(evaluation.audits[set]));
    for (auto& finding : findings) {
      finding.set = name;
      evaluation.findings.push_back(std::move(finding));
    }
  }
  describe(evaluation, input, settings);
}

}  // namespace scintigen
