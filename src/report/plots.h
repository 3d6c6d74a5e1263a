// SPDX-License-Identifier: Apache-2.0
// The report's kinds of plot as data. Each is written twice from the same figures: as static
// SVG (svg_plot.h) and as JSON for web/src, so that both show the same.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "metrics/evaluation.h"

namespace scintigen {

/// Tukey's box: quartiles by linear interpolation, whiskers to the last value within 1.5
/// interquartile ranges. Of values that are all 0 or 1: five times their mean.
struct Box {
  double low = 0, lower_quartile = 0, median = 0, upper_quartile = 0, high = 0;
};

/// Values of one set in one condition.
struct PlottedGroup {
  std::vector<double> values;
  std::vector<int64_t> rows;    ///< of the evaluation's table, for hovering; empty: not known
  std::vector<double> offsets;  ///< of the points from the middle, in half widths: -1 to 1
  std::optional<Box> box;       ///< from 1 value
  /// Gaussian kernel density (Silverman's bandwidth) at `at`, 1 at its highest; from 3 unlike
  /// values.
  std::vector<double> at, density;
};

PlottedGroup plotted_group(std::vector<double> values, std::vector<int64_t> rows);

/// Reference against one set in one condition.
struct Bracket {
  size_t condition = 0, set = 0;
  std::string mark;  ///< "ns", "*", "**", "***"
  double adjusted_p = 1;
};

/// Box, violin and points: a place on the x axis a condition, a colour a set.
struct GroupPlot {
  std::string id, name, axis;
  std::vector<std::string> conditions, sets;
  std::vector<std::vector<PlottedGroup>> groups;  ///< [condition][set], reference first
  std::vector<Bracket> brackets;
};

/// Estimates with intervals against a margin (a forest plot).
struct IntervalPlot {
  struct Row {
    std::string condition, set, agreement;
    size_t colour = 0;  ///< index of the set, reference 0
    std::optional<double> estimate, low, high;
  };
  std::string id, name, axis;
  double margin = 0;
  std::vector<Row> rows;
};

/// Shares of values up to x, as steps.
struct CumulativePlot {
  struct Series {
    std::string name;
    size_t colour = 0;
    std::vector<double> values;  ///< ascending
  };
  std::string id, name, axis;
  std::vector<Series> series;
  double threshold = 0;
};

/// Shares (0 to 1) against a number, each with its interval.
struct CurvePlot {
  struct Series {
    std::string name;
    size_t colour = 0;
    bool dashed = false;                      ///< something to compare with, without an interval
    std::vector<double> x, share, low, high;  ///< low and high empty: no interval
  };
  std::string id, name, axis, share;  ///< axis: what x is; share: of what
  std::vector<Series> series;
};

/// "ns" from 0.05 on, then * ** *** below 0.05, 0.01, 0.001.
std::string significance_mark(double adjusted_p);

/// For a reader: "basal_ganglia, normal" -> "basal ganglia, normal".
std::string short_condition(const std::string& condition);

GroupPlot group_plot(const Quantity& quantity, const Evaluation& evaluation, std::string id);
IntervalPlot interval_plot(const Quantity& quantity, const Evaluation& evaluation, std::string id);

nlohmann::ordered_json plot_json(const GroupPlot& plot);
nlohmann::ordered_json plot_json(const IntervalPlot& plot);
nlohmann::ordered_json plot_json(const CumulativePlot& plot);
nlohmann::ordered_json plot_json(const CurvePlot& plot);

/// Round numbers (1, 2, 5 times a power of ten) that cover [low, high] in about `count` steps.
std::vector<double> axis_ticks(double low, double high, int count = 6);

}  // namespace scintigen
