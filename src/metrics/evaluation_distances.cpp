// SPDX-License-Identifier: Apache-2.0
// Step 3 of evaluate_slices(): distances between the sets in feature spaces.
#include <ATen/ATen.h>

#include <algorithm>
#include <limits>
#include <map>

#include "core/error.h"
#include "core/random.h"
#include "metrics/evaluation_parts.h"
#include "metrics/pair_distances.h"
#include "metrics/radiomic_features.h"
#include "metrics/slice_statistics.h"

namespace scintigen {
namespace {

constexpr int64_t kFewestSlices = 12;
constexpr int64_t kMostSlices = 2000;  // [N+M]^2 distances of both sides: 128 MB

/// Rows of a set, at random, in the reference's mix of conditions.
struct MatchedRows {
  std::vector<int64_t> rows;
  int64_t of = 0;
};

using CountsByCondition = std::map<std::string, int64_t>;

MatchedRows matched_rows(const std::map<std::string, std::vector<int64_t>>& rows_by_condition,
                         const CountsByCondition& wanted, uint64_t seed,
                         const std::string& stream) {
  double share = std::numeric_limits<double>::infinity();
  MatchedRows matched;
  for (const auto& [condition, rows] : rows_by_condition)
    matched.of += static_cast<int64_t>(rows.size());
  for (const auto& [condition, count] : wanted) {
    const auto found = rows_by_condition.find(condition);
    const double there =
        found == rows_by_condition.end() ? 0 : static_cast<double>(found->second.size());
    share = std::min(share, there / static_cast<double>(count));
  }
  int64_t total = 0;
  for (const auto& [condition, count] : wanted) total += count;
  share = std::min(share, static_cast<double>(kMostSlices) / static_cast<double>(total));
  uint64_t place = 0;
  for (const auto& [condition, count] : wanted) {
    const auto found = rows_by_condition.find(condition);
    Random random(seed, stream, place++);
    if (found == rows_by_condition.end()) continue;
    // Rounding up by less than one row keeps a rare condition from falling away.
    const auto take =
        std::min<int64_t>(static_cast<int64_t>(share * static_cast<double>(count) + 0.999),
                          static_cast<int64_t>(found->second.size()));
    const auto order = random.permutation(static_cast<int64_t>(found->second.size()));
    for (int64_t i = 0; i < take; ++i)
      matched.rows.push_back(found->second[static_cast<size_t>(order[static_cast<size_t>(i)])]);
  }
  // Neighbour measures take the first rows of the larger set: no condition may stand in front.
  Random random(seed, stream, place);
  const auto order = random.permutation(static_cast<int64_t>(matched.rows.size()));
  std::vector<int64_t> mixed;
  for (const int64_t i : order) mixed.push_back(matched.rows[static_cast<size_t>(i)]);
  matched.rows = std::move(mixed);
  return matched;
}

/// One side of the comparison: its slices, brought to the common mix.
struct Side {
  std::string name;
  torch::Tensor slices;
  JackknifeGroups groups;
};

Side side_of(const SliceSet& set, const std::string& name, const SortedSets& sorted, size_t place,
             const CountsByCondition& wanted, const EvaluationSettings& settings,
             std::vector<std::string>& warnings) {
  std::map<std::string, std::vector<int64_t>> by_condition;
  for (size_t condition = 0; condition < sorted.conditions.size(); ++condition) {
    auto rows = sorted.rows_of(place, condition);
    if (!rows.empty()) by_condition[sorted.conditions[condition]] = std::move(rows);
  }
  const auto matched =
      matched_rows(by_condition, wanted, static_cast<uint64_t>(settings.seed), name + "/mix");
  Side side{name, {}, {}};
  if (static_cast<int64_t>(matched.rows.size()) < matched.of)
    warnings.push_back(fmt::format(
        "distances: {} of {} slices of '{}' were used, drawn at random so that conditions are "
        "mixed as in the real set",
        matched.rows.size(), matched.of, name));
  std::vector<std::string> patients;
  for (const int64_t row : matched.rows)
    patients.push_back(sorted.patients[place][static_cast<size_t>(row)]);
  side.slices = set.slices.index_select(0, torch::tensor(matched.rows, torch::kLong));
  side.groups = jackknife_groups(patients);
  return side;
}

struct Description {
  const char *key, *name, *definition, *ideal;
};
const Description kDistances[] = {
    {"energy", "Energy distance", "2 E|a-b| - E|a-a'| - E|b-b'|, unbiased (Szekely and Rizzo 2013)",
     "0"},
    {"kernel", "Kernel distance (KID)",
     "unbiased squared maximum mean discrepancy, kernel (x.y/K + 1)^3 (Binkowski 2018)", "0"},
    {"sliced_wasserstein", "Sliced Wasserstein distance",
     "mean 1-Wasserstein distance over 128 random directions (Bonneel 2015)", "0"},
    {"frechet", "Frechet distance (FID)",
     "between fitted Gaussians (Heusel 2017); only with more slices than features", "0"},
    {"precision", "Precision",
     "synthetic slices within reach of a real one, k = 5 (Kynkaanniemi 2019)", "1"},
    {"recall", "Recall", "real slices within reach of a synthetic one, k = 5 (Kynkaanniemi 2019)",
     "1"},
    {"density", "Density", "real neighbourhoods that hold a synthetic slice / k (Naeem 2020)", "1"},
    {"coverage", "Coverage", "real slices whose neighbourhood holds a synthetic one (Naeem 2020)",
     "1"},
    {"neighbour_accuracy", "1-nearest-neighbour accuracy",
     "leave-one-out, in telling real from synthetic; equal numbers (Lopez-Paz and Oquab 2017)",
     "0.5"},
};

FeatureSpace distances_in(FeatureSpace space, const std::vector<Side>& sides,
                          const std::vector<torch::Tensor>& features,
                          const EvaluationSettings& settings) {
  space.size = features.front().size(1);
  for (const auto& known : kDistances)
    space.distances.push_back({known.key, known.name, known.definition, known.ideal, {}});
  for (size_t side = 1; side < sides.size(); ++side) {
    const bool few = std::min(features.front().size(0), features[side].size(0)) < kFewestSlices;
    std::vector<MeasureOfPair> measures;
    if (!few)
      measures =
          measure_pair({features.front(), sides.front().groups},
                       {features[side], sides[side].groups}, static_cast<uint64_t>(settings.seed));
    for (size_t i = 0; i < space.distances.size(); ++i) {
      DistanceValue value;
      value.set = sides[side].name;
      if (few) {
        value.why = fmt::format("{} real and {} other slices; needs at least {} of each",
                                features.front().size(0), features[side].size(0), kFewestSlices);
      } else {
        value.value = measures[i].value;
        value.interval = measures[i].interval;
        value.why = measures[i].why;
      }
      space.distances[i].values.push_back(std::move(value));
    }
  }
  return space;
}

/// A condition that a set has under a tenth as often as the reference has it, its size allowed for,
/// would cut the whole set to a handful.
constexpr double kLeastShare = 0.1;

CountsByCondition counts_of(const SortedSets& sorted, size_t set) {
  CountsByCondition counts;
  for (size_t condition = 0; condition < sorted.conditions.size(); ++condition)
    if (sorted.counts[set][condition] > 0)
      counts[sorted.conditions[condition]] = sorted.counts[set][condition];
  return counts;
}

CountsByCondition common_conditions(const SortedSets& sets, const SortedSets& training,
                                    bool has_training, std::vector<std::string>& warnings) {
  const auto reference = counts_of(sets, 0);
  std::vector<CountsByCondition> others;
  for (size_t set = 1; set < sets.sets.size(); ++set) others.push_back(counts_of(sets, set));
  if (has_training) others.push_back(counts_of(training, 0));
  const auto total = [](const CountsByCondition& counts) {
    double sum = 0;
    for (const auto& entry : counts) sum += static_cast<double>(entry.second);
    return sum;
  };
  CountsByCondition wanted;
  std::vector<std::string> left_out;
  for (const auto& [condition, count] : reference) {
    bool enough = true;
    for (const auto& other : others) {
      const auto found = other.find(condition);
      const double there = found == other.end() ? 0 : static_cast<double>(found->second);
      enough = enough &&
               there / total(other) > kLeastShare * static_cast<double>(count) / total(reference);
    }
    if (enough)
      wanted[condition] = count;
    else
      left_out.push_back(condition);
  }
  if (!left_out.empty())
    warnings.push_back(fmt::format("distances: left out for want of slices in some set: {}",
                                   fmt::join(left_out, "; ")));
  return wanted;
}

}  // namespace

std::vector<FeatureSpace> compare_distributions(const SortedSets& sets,
                                                const EvaluationInput& input,
                                                const EvaluationSettings& settings,
                                                std::vector<std::string>& warnings) {
  EvaluationInput of_training;
  of_training.reference = input.training;
  const bool has_training = input.training.size() > 0;
  const auto sorted_training = sort_sets(of_training, settings.by);
  const auto wanted = common_conditions(sets, sorted_training, has_training, warnings);
  if (wanted.empty()) {
    warnings.push_back("distances: no condition has slices in every set; none computed");
    return {};
  }
  std::vector<Side> sides;
  for (size_t set = 0; set < sets.sets.size(); ++set)
    sides.push_back(
        side_of(*sets.sets[set], sets.sets[set]->name, sets, set, wanted, settings, warnings));
  if (has_training)
    sides.push_back(
        side_of(input.training, "training", sorted_training, 0, wanted, settings, warnings));

  // The space is spanned by real slices that judge nothing, where there are such.
  const auto& basis = has_training ? input.training.slices : input.reference.slices;
  const auto whose = has_training ? "training" : "real";
  std::vector<FeatureSpace> spaces;
  const bool varies = (basis - basis[0]).abs().max().item<double>() > 0;
  if (basis.size(0) >= kFewestSlices && varies) {
    const auto components =
        principal_components(basis, std::min(settings.components, basis.size(0) / 3));
    std::vector<torch::Tensor> features;
    for (const auto& side : sides) features.push_back(components.project(side.slices));
    const double explained = components.explained.sum().item<double>();
    spaces.push_back(distances_in(
        {"pixels_pca",
         "Pixels after principal components",
         fmt::format(
             "{} principal components of the {} slices' pixels ({:.0f} % of their variance)",
             components.directions.size(1), whose, 100 * explained),
         0,
         {}},
        sides, features, settings));
    const auto scale = feature_scaling(radiomic_features(basis));
    std::vector<torch::Tensor> radiomic;
    for (const auto& side : sides) radiomic.push_back(scale.apply(radiomic_features(side.slices)));
    spaces.push_back(distances_in(
        {"radiomic",
         "Radiomic features",
         fmt::format(
             "{} features of intensity, texture, spectrum, shape and balance, each in SD of "
             "the {} slices",
             radiomic.front().size(1), whose),
         0,
         {}},
        sides, radiomic, settings));
  } else {
    warnings.push_back(
        fmt::format("distances: {} {} slices cannot span a feature space; needs {} "
                    "that differ",
                    basis.size(0), whose, kFewestSlices));
  }
  return spaces;
}

}  // namespace scintigen
