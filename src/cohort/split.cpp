// SPDX-License-Identifier: Apache-2.0
// Splits by patient.
#include <algorithm>
#include <map>
#include <set>

#include "cohort/prepared_cohort.h"
#include "core/error.h"
#include "core/random.h"

namespace scintigen {
namespace {

constexpr size_t kMostLevels = 8;  // of a column that is worth balancing
constexpr int kCandidates = 1000;  // sets of patients looked at

std::vector<std::string> columns_to_balance(const Table& table) {
  static const std::set<std::string> not_conditions = {
      "participant_id", "slice", "scale", "below", "above", "original_slice", "file"};
  std::vector<std::string> found;
  for (size_t column = 0; column < table.columns.size(); ++column) {
    if (not_conditions.count(table.columns[column])) continue;
    std::set<std::string> values;
    for (const auto& row : table.rows) {
      values.insert(row[column]);
      if (values.size() > kMostLevels) break;
    }
    if (values.size() > 1 && values.size() <= kMostLevels) found.push_back(table.columns[column]);
  }
  return found;
}

/// For each participant the fraction of their slices with each value of each column:
/// [participant][value].
std::vector<std::vector<double>> value_fractions(const PreparedCohort& cohort,
                                                 const std::vector<std::string>& participants,
                                                 const std::vector<std::string>& columns) {
  const auto& table = cohort.table;
  std::map<std::string, size_t> participant_index;
  for (const auto& id : participants) participant_index.emplace(id, participant_index.size());
  std::map<std::pair<size_t, std::string>, size_t> value_index;
  for (const auto& name : columns) {
    const size_t column = table.column(name);
    for (const auto& row : table.rows) {
      value_index.emplace(std::make_pair(column, row[column]), value_index.size());
    }
  }
  std::vector<std::vector<double>> fractions(participants.size(),
                                             std::vector<double>(value_index.size(), 0));
  std::vector<double> slices(participants.size(), 0);
  for (size_t row = 0; row < table.rows.size(); ++row) {
    const size_t participant = participant_index.at(table.at(row, "participant_id"));
    slices[participant] += 1;
    for (const auto& [key, index] : value_index) {
      if (table.rows[row][key.first] == key.second) fractions[participant][index] += 1;
    }
  }
  for (size_t participant = 0; participant < participants.size(); ++participant) {
    for (auto& fraction : fractions[participant]) fraction /= slices[participant];
  }
  return fractions;
}

/// Squared difference of the mean fractions of the two sides; a value that nobody is left to train
/// on costs 1 more.
double imbalance(const std::vector<std::vector<double>>& fractions,
                 const std::vector<int64_t>& order, int64_t held_out) {
  const size_t values = fractions.empty() ? 0 : fractions[0].size();
  double total = 0;
  for (size_t value = 0; value < values; ++value) {
    double out = 0, in = 0;
    for (size_t i = 0; i < order.size(); ++i) {
      auto& side = static_cast<int64_t>(i) < held_out ? out : in;
      side += fractions[static_cast<size_t>(order[i])][value];
    }
    const double difference =
        out / static_cast<double>(held_out) -
        in / static_cast<double>(order.size() - static_cast<size_t>(held_out));
    total += difference * difference + (in == 0 ? 1 : 0);
  }
  return total;
}

}  // namespace

Split split_by_patient(const PreparedCohort& cohort, const std::vector<std::string>& held_out) {
  const auto participants = cohort.participants();
  const std::set<std::string> named(held_out.begin(), held_out.end());
  for (const auto& id : named) {
    if (std::find(participants.begin(), participants.end(), id) != participants.end()) continue;
    const auto nearest = nearest_word(id, participants);
    throw Error("{}: no participant {} to hold out{}", cohort.name, id,
                nearest ? fmt::format("; did you mean {}?", *nearest)
                        : fmt::format("; the first of {} is {}", participants.size(),
                                      participants.front()));
  }
  require(named.size() < participants.size(),
          "{}: all {} participants held out; nobody is left to train on", cohort.name,
          participants.size());
  std::vector<int64_t> inside, outside;
  for (size_t row = 0; row < cohort.table.rows.size(); ++row) {
    auto& side = named.count(cohort.table.at(row, "participant_id")) ? outside : inside;
    side.push_back(static_cast<int64_t>(row));
  }
  return {cohort.rows(inside), cohort.rows(outside)};
}

std::vector<std::string> draw_held_out(const PreparedCohort& cohort, int64_t count, uint64_t seed,
                                       std::vector<std::string> balance_columns) {
  const auto participants = cohort.participants();
  const auto total = static_cast<int64_t>(participants.size());
  require(count >= 0 && count < total, "{}: {} participants to hold out of {}; expected 0 to {}",
          cohort.name, count, total, total - 1);
  if (count == 0) return {};
  if (balance_columns.empty()) balance_columns = columns_to_balance(cohort.table);
  const auto fractions = value_fractions(cohort, participants, balance_columns);
  std::vector<int64_t> best;
  double least = 0;
  for (int candidate = 0; candidate < kCandidates; ++candidate) {
    auto order = Random(seed, "held_out", static_cast<uint64_t>(candidate)).permutation(total);
    const double cost = imbalance(fractions, order, count);
    // a margin, so that rounding does not decide between equals: the first drawn does
    if (best.empty() || cost < least - 1e-12) {
      least = cost;
      best = std::move(order);
    }
  }
  best.resize(static_cast<size_t>(count));
  std::sort(best.begin(), best.end());
  std::vector<std::string> names;
  for (const auto index : best) names.push_back(participants[static_cast<size_t>(index)]);
  return names;
}

}  // namespace scintigen
