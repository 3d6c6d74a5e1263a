// SPDX-License-Identifier: Apache-2.0
#include "report/plots.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace scintigen {
namespace {

/// `sorted` at share q, linear between neighbours (R's type 7).
double quantile(const std::vector<double>& sorted, double q) {
  const double place = q * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<size_t>(place);
  const size_t high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (place - static_cast<double>(low)) * (sorted[high] - sorted[low]);
}

Box box_of(const std::vector<double>& sorted) {
  Box box;
  box.lower_quartile = quantile(sorted, 0.25);
  box.median = quantile(sorted, 0.5);
  box.upper_quartile = quantile(sorted, 0.75);
  const double reach = 1.5 * (box.upper_quartile - box.lower_quartile);
  box.low = *std::lower_bound(sorted.begin(), sorted.end(), box.lower_quartile - reach);
  box.high = *(std::upper_bound(sorted.begin(), sorted.end(), box.upper_quartile + reach) - 1);
  return box;
}

/// Yes and no as 1 and 0: quartiles and densities of them say nothing.
bool are_shares(const std::vector<double>& sorted) {
  return std::all_of(sorted.begin(), sorted.end(), [](double v) { return v == 0 || v == 1; });
}

/// Silverman's rule; 0 where all values are alike.
double bandwidth(const std::vector<double>& sorted) {
  const auto n = static_cast<double>(sorted.size());
  const double mean = std::accumulate(sorted.begin(), sorted.end(), 0.0) / n;
  double squares = 0;
  for (double value : sorted) squares += (value - mean) * (value - mean);
  const double sd = std::sqrt(squares / (n - 1));
  const double quartiles = (quantile(sorted, 0.75) - quantile(sorted, 0.25)) / 1.34;
  const double spread = quartiles > 0 ? std::min(sd, quartiles) : sd;
  return 0.9 * spread * std::pow(n, -0.2);
}

double density_at(const std::vector<double>& sorted, double x, double width) {
  // Beyond 5 bandwidths a kernel is below 4e-6.
  auto value = std::lower_bound(sorted.begin(), sorted.end(), x - 5 * width);
  double sum = 0;
  for (; value != sorted.end() && *value <= x + 5 * width; ++value) {
    const double z = (*value - x) / width;
    sum += std::exp(-0.5 * z * z);
  }
  return sum;
}

void fill_density(PlottedGroup& group, const std::vector<double>& sorted) {
  constexpr int kSteps = 40;
  const double width = sorted.size() < 3 ? 0 : bandwidth(sorted);
  if (!(width > 0) || !std::isfinite(width)) return;
  const double low = sorted.front(), high = sorted.back();
  double highest = 0;
  for (int i = 0; i <= kSteps; ++i) {
    group.at.push_back(low + (high - low) * i / kSteps);
    group.density.push_back(density_at(sorted, group.at.back(), width));
    highest = std::max(highest, group.density.back());
  }
  if (!(highest > 0)) group.at.clear(), group.density.clear();
  for (double& value : group.density) value /= highest;
}

/// The violin's half width at x, linear between its steps; a narrow strip without a violin.
double half_width(const PlottedGroup& group, double x) {
  if (group.at.empty()) return 0.35;
  const double step = group.at[1] - group.at[0];
  const double place =
      std::clamp((x - group.at[0]) / step, 0.0, static_cast<double>(group.at.size() - 1));
  const auto low = std::min(static_cast<size_t>(place), group.at.size() - 2);
  const double part = place - static_cast<double>(low);
  return group.density[low] * (1 - part) + group.density[low + 1] * part;
}

/// Digits of `index` in base 2 behind the point: fills (0, 1) evenly from any start (van der
/// Corput), so that the points need no random numbers.
double even_share(uint32_t index) {
  double share = 0, part = 0.5;
  for (; index > 0; index >>= 1, part /= 2)
    if ((index & 1) != 0) share += part;
  return share;
}

/// Rows of the evaluation's table that are of `set` and `condition` and have a value.
std::vector<int64_t> rows_of(const Table& table, const std::string& set,
                             const std::string& condition, const std::string& key) {
  const auto set_column = table.find_column("set"),
             condition_column = table.find_column("condition"),
             value_column = table.find_column(key);
  std::vector<int64_t> rows;
  if (!set_column || !condition_column) return rows;
  for (size_t row = 0; row < table.rows.size(); ++row) {
    const auto& cells = table.rows[row];
    if (cells[*set_column] != set) continue;
    if (condition != "all" && cells[*condition_column] != condition) continue;
    if (value_column && (cells[*value_column].empty() || cells[*value_column] == "n/a")) continue;
    rows.push_back(static_cast<int64_t>(row));
  }
  return rows;
}

}  // namespace

PlottedGroup plotted_group(std::vector<double> values, std::vector<int64_t> rows) {
  PlottedGroup group;
  group.values = std::move(values);
  if (rows.size() == group.values.size()) group.rows = std::move(rows);
  if (group.values.empty()) return group;
  std::vector<double> sorted = group.values;
  std::sort(sorted.begin(), sorted.end());
  if (are_shares(sorted)) {
    const double share = std::accumulate(sorted.begin(), sorted.end(), 0.0) / sorted.size();
    group.box = Box{share, share, share, share, share};
  } else {
    group.box = box_of(sorted);
    fill_density(group, sorted);
  }
  for (size_t i = 0; i < group.values.size(); ++i)
    group.offsets.push_back(0.88 * half_width(group, group.values[i]) *
                            (2 * even_share(static_cast<uint32_t>(i + 1)) - 1));
  return group;
}

std::string significance_mark(double adjusted_p) {
  if (adjusted_p < 0.001) return "***";
  if (adjusted_p < 0.01) return "**";
  return adjusted_p < 0.05 ? "*" : "ns";
}

std::string short_condition(const std::string& condition) {
  std::string text = condition;
  std::replace(text.begin(), text.end(), '_', ' ');
  return text;
}

GroupPlot group_plot(const Quantity& quantity, const Evaluation& evaluation, std::string id) {
  GroupPlot plot;
  plot.id = std::move(id);
  plot.name = quantity.name;
  plot.axis = quantity.unit.empty() ? quantity.name : quantity.name + " (" + quantity.unit + ")";
  plot.sets = evaluation.sets;
  for (size_t c = 0; c < quantity.conditions.size(); ++c) {
    const QuantityInCondition& here = quantity.conditions[c];
    plot.conditions.push_back(short_condition(here.condition));
    auto& groups = plot.groups.emplace_back();
    for (size_t s = 0; s < plot.sets.size(); ++s) {
      std::vector<double> values;
      if (s < here.values.size()) values = here.values[s];
      groups.push_back(plotted_group(std::move(values), rows_of(evaluation.slices, plot.sets[s],
                                                                here.condition, quantity.key)));
    }
    for (const QuantityDifference& difference : here.sets) {
      const auto set = std::find(plot.sets.begin(), plot.sets.end(), difference.set);
      if (!difference.adjusted_p || set == plot.sets.end()) continue;
      plot.brackets.push_back({c, static_cast<size_t>(set - plot.sets.begin()),
                               significance_mark(*difference.adjusted_p), *difference.adjusted_p});
    }
  }
  return plot;
}

IntervalPlot interval_plot(const Quantity& quantity, const Evaluation& evaluation, std::string id) {
  IntervalPlot plot;
  plot.id = std::move(id);
  plot.name = quantity.name;
  plot.axis = "Difference of means, in SD of " +
              (evaluation.sets.empty() ? std::string("the reference") : evaluation.sets[0]);
  plot.margin = evaluation.margin;
  for (const QuantityInCondition& here : quantity.conditions) {
    for (const QuantityDifference& difference : here.sets) {
      const auto set = std::find(evaluation.sets.begin(), evaluation.sets.end(), difference.set);
      IntervalPlot::Row row;
      row.condition = short_condition(here.condition);
      row.set = difference.set;
      row.agreement = agreement_word(difference.agreement);
      row.colour = static_cast<size_t>(set - evaluation.sets.begin());
      row.estimate = difference.difference;
      if (difference.interval) {
        row.low = difference.interval->low;
        row.high = difference.interval->high;
      }
      plot.rows.push_back(std::move(row));
    }
  }
  return plot;
}

std::vector<double> axis_ticks(double low, double high, int count) {
  if (!std::isfinite(low) || !std::isfinite(high)) low = 0, high = 1;
  if (!(high - low > 1e-12 * std::max(std::abs(low), std::abs(high)))) {
    const double size = low == 0 ? 1 : std::abs(low) * 0.1;
    low -= size, high += size;
  }
  const double raw = (high - low) / count, power = std::pow(10.0, std::floor(std::log10(raw)));
  double step = 10 * power;
  for (double factor : {5.0, 2.0, 1.0})
    if (raw <= factor * power) step = factor * power;
  std::vector<double> ticks;
  const auto first = static_cast<int64_t>(std::floor(low / step + 1e-9));
  const auto last = static_cast<int64_t>(std::ceil(high / step - 1e-9));
  for (int64_t i = first; i <= last && ticks.size() < 100; ++i)
    ticks.push_back(static_cast<double>(i) * step);
  return ticks;
}

}  // namespace scintigen
