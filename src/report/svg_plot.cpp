// SPDX-License-Identifier: Apache-2.0
#include "report/svg_plot.h"

#include <algorithm>
#include <cmath>

#include "report/svg_canvas.h"

namespace scintigen {
namespace {

constexpr double kLeft = 60, kRight = 16, kTop = 40;

struct Range {
  double low = INFINITY, high = -INFINITY;
  void add(double value) {
    if (!std::isfinite(value)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  bool empty() const { return low > high; }
};

std::string point(double x, double y) { return px(x) + " " + px(y); }

int colour_of(size_t set) { return static_cast<int>(set); }

/// The places of a group plot: condition c at c, its sets side by side around it.
struct GroupPlaces {
  double pitch, half;  ///< px from set to set, half a set's width
  double set_count, group_width;
  GroupPlaces(size_t conditions, size_t sets) {
    set_count = static_cast<double>(std::max<size_t>(sets, 1));
    pitch = std::clamp(
        640.0 / (static_cast<double>(std::max<size_t>(conditions, 1)) * (set_count + 0.8)), 26.0,
        90.0);
    half = pitch * 0.42;
    group_width = pitch * (set_count + 0.8);
  }
  double x(size_t condition, size_t set) const {
    return kLeft + group_width * (static_cast<double>(condition) + 0.5) +
           pitch * (static_cast<double>(set) - (set_count - 1) / 2);
  }
};

std::string violin_path(const PlottedGroup& group, double x, double half, const Scale& y) {
  std::string d;
  for (size_t i = 0; i < group.at.size(); ++i)
    d += (i == 0 ? "M" : "L") + point(x - half * group.density[i], y(group.at[i]));
  for (size_t i = group.at.size(); i-- > 0;)
    d += "L" + point(x + half * group.density[i], y(group.at[i]));
  return d + "Z";
}

std::string box_path(const Box& box, double x, double half, const Scale& y) {
  const std::string left = px(x - half), right = px(x + half), middle = px(x);
  const auto at = [&](double value) { return px(y(value)); };
  return "M" + left + " " + at(box.lower_quartile) + "H" + right + "V" + at(box.upper_quartile) +
         "H" + left + "ZM" + middle + " " + at(box.lower_quartile) + "V" + at(box.low) + "M" +
         middle + " " + at(box.upper_quartile) + "V" + at(box.high);
}

void draw_group(SvgCanvas& canvas, const PlottedGroup& group, double x, double half, const Scale& y,
                size_t set) {
  if (!group.at.empty()) canvas.path("violin", violin_path(group, x, half, y), colour_of(set));
  // A line of no length with round ends is a point: a tenth of the bytes of a circle.
  std::string points;
  for (size_t i = 0; i < group.values.size(); ++i)
    if (std::isfinite(group.values[i]))
      points += "M" + point(x + half * group.offsets[i], y(group.values[i])) + "h0";
  if (!points.empty()) canvas.path("points", points, colour_of(set));
  if (!group.box) return;
  canvas.path("box", box_path(*group.box, x, half * 0.42, y), colour_of(set));
  canvas.path("median",
              "M" + point(x - half * 0.42, y(group.box->median)) + "H" + px(x + half * 0.42),
              colour_of(set));
}

void draw_bracket(SvgCanvas& canvas, const Bracket& bracket, const GroupPlaces& places, double y) {
  const double from = places.x(bracket.condition, 0);
  const double to = places.x(bracket.condition, bracket.set);
  canvas.path("bracket", "M" + point(from, y + 5) + "V" + px(y) + "H" + px(to) + "V" + px(y + 5));
  const bool stars = bracket.mark != "ns";
  canvas.text(stars ? "mark middle stars" : "mark middle", (from + to) / 2, y - (stars ? 0 : 4),
              bracket.mark);
}

}  // namespace

Html svg_plot(const GroupPlot& plot) {
  const GroupPlaces places(plot.conditions.size(), plot.sets.size());
  const double bracket_step = 20, bottom = 330;
  const double width = std::max(
      360.0, kLeft + kRight + places.group_width * static_cast<double>(plot.conditions.size()));
  Range range;
  for (const auto& groups : plot.groups)
    for (const PlottedGroup& group : groups) {
      for (double value : group.values) range.add(value);
      if (!group.at.empty()) range.add(group.at.front()), range.add(group.at.back());
    }
  const auto ticks = axis_ticks(range.empty() ? 0 : range.low, range.empty() ? 1 : range.high);
  // Brackets stand above the axis' end, one row a set.
  const double top = kTop + (plot.brackets.empty()
                                 ? 0.0
                                 : bracket_step * (static_cast<double>(plot.sets.size()) - 1) + 10);
  const Scale y{ticks.front(), ticks.back(), bottom, top};
  size_t label_lines = 1;
  const auto label_width = std::max<size_t>(8, static_cast<size_t>(places.group_width / 6.6));
  std::vector<std::vector<std::string>> labels;
  for (const std::string& condition : plot.conditions) {
    labels.push_back(text_lines(condition, label_width, 4));
    label_lines = std::max(label_lines, labels.back().size());
  }
  SvgCanvas canvas(width, bottom + 18 + 15 * static_cast<double>(label_lines),
                   plot.name +
                       " by condition and set: violins, boxes and points; the figures are "
                       "in the table below");
  canvas.vertical_axis({y.low, y.high, bottom, kTop}, {}, kLeft, width - kRight, plot.axis);
  canvas.vertical_axis(y, ticks, kLeft, width - kRight, "");
  for (size_t c = 0; c < plot.groups.size(); ++c) {
    const double middle = kLeft + places.group_width * (static_cast<double>(c) + 0.5);
    for (size_t s = 0; s < plot.groups[c].size(); ++s)
      draw_group(canvas, plot.groups[c][s], places.x(c, s), places.half, y, s);
    for (size_t i = 0; i < labels[c].size(); ++i)
      canvas.text("tick middle", middle, bottom + 20 + 15 * static_cast<double>(i), labels[c][i]);
  }
  for (const Bracket& bracket : plot.brackets)
    draw_bracket(canvas, bracket, places,
                 top - 14 - bracket_step * (static_cast<double>(bracket.set) - 1));
  return canvas.finish();
}

Html svg_plot(const IntervalPlot& plot) {
  constexpr double kRow = 24, kLabels = 196, kWords = 84, kWidth = 548;
  const auto count = static_cast<double>(plot.rows.size());
  const double top = 14, bottom = top + kRow * count + 6;
  Range range;
  range.add(-1.25 * plot.margin), range.add(1.25 * plot.margin);
  for (const auto& row : plot.rows)
    for (const auto& value : {row.estimate, row.low, row.high})
      if (value) range.add(*value);
  const auto ticks = axis_ticks(range.low, range.high, 5);
  const Scale x{ticks.front(), ticks.back(), kLabels, kWidth - kWords};
  SvgCanvas canvas(kWidth, bottom + 50,
                   plot.name +
                       ": difference of means with 90 % interval by condition and set; "
                       "the figures are in the table below");
  canvas.rectangle("margin", x(-plot.margin), top, x(plot.margin) - x(-plot.margin), bottom - top);
  canvas.horizontal_axis(x, ticks, top, bottom, plot.axis);
  canvas.line("zero", x(0), top, x(0), bottom);
  for (size_t i = 0; i < plot.rows.size(); ++i) {
    const auto& row = plot.rows[i];
    const double y = top + kRow * (static_cast<double>(i) + 0.5) + 3;
    const bool first = i == 0 || plot.rows[i - 1].condition != row.condition;
    if (first) canvas.text("tick end", kLabels - 10, y + 4, text_lines(row.condition, 28, 1)[0]);
    canvas.text("tick faint", kWidth - kWords + 12, y + 4, row.agreement);
    const int colour = colour_of(row.colour);
    if (row.low && row.high && std::isfinite(*row.low) && std::isfinite(*row.high))
      canvas.path("interval", "M" + point(x(*row.low), y) + "H" + px(x(*row.high)), colour);
    if (row.estimate && std::isfinite(*row.estimate))
      canvas.path(row.agreement == "equivalent" ? "estimate" : "estimate open",
                  "M" + point(x(*row.estimate) - 4.5, y) + "l4.5 -4.5 4.5 4.5 -4.5 4.5z", colour);
  }
  return canvas.finish();
}

Html svg_plot(const CumulativePlot& plot) {
  constexpr double kWidth = 640, kBottom = 300;
  Range range;
  range.add(plot.threshold), range.add(0);
  for (const auto& series : plot.series)
    for (double value : series.values) range.add(value);
  const auto ticks = axis_ticks(range.low, range.high);
  const Scale x{ticks.front(), ticks.back(), kLeft, kWidth - kRight}, y{0, 1, kBottom, kTop};
  SvgCanvas canvas(kWidth, kBottom + 50, plot.name + ": cumulative share by set, with threshold");
  canvas.vertical_axis(y, {0, 0.25, 0.5, 0.75, 1}, kLeft, kWidth - kRight, "Share of slices");
  canvas.horizontal_axis(x, ticks, kTop, kBottom, plot.axis);
  canvas.line("threshold", x(plot.threshold), kTop, x(plot.threshold), kBottom);
  canvas.text("tick", x(plot.threshold) + 5, kTop + 12, "threshold");
  for (const auto& series : plot.series) {
    if (series.values.empty()) continue;
    std::string d = "M" + point(x(series.values.front()), y(0));
    const auto n = static_cast<double>(series.values.size());
    for (size_t i = 0; i < series.values.size(); ++i)
      d += "H" + px(x(series.values[i])) + "V" + px(y(static_cast<double>(i + 1) / n));
    canvas.path("steps", d + "H" + px(x.to), colour_of(series.colour));
  }
  return canvas.finish();
}

Html svg_plot(const CurvePlot& plot) {
  constexpr double kWidth = 640, kBottom = 320;
  double highest = 0;
  for (const auto& series : plot.series)
    for (const double value : series.x) highest = std::max(highest, value);
  const auto ticks = axis_ticks(0, highest > 0 ? highest : 1);
  const Scale x{ticks.front(), ticks.back(), kLeft, kWidth - kRight}, y{0, 1, kBottom, kTop};
  SvgCanvas canvas(kWidth, kBottom + 50, plot.name + ": " + plot.share + " against " + plot.axis);
  canvas.vertical_axis(y, {0, 0.25, 0.5, 0.75, 1}, kLeft, kWidth - kRight, plot.share);
  canvas.horizontal_axis(x, ticks, kTop, kBottom, plot.axis);
  const auto along = [&](const std::vector<double>& at, const std::vector<double>& share) {
    std::string d;
    for (size_t i = 0; i < at.size(); ++i) d += (i == 0 ? "M" : "L") + point(x(at[i]), y(share[i]));
    return d;
  };
  for (const auto& series : plot.series) {
    if (series.low.empty()) continue;
    if (series.x.size() == 1)
      canvas.path("interval",
                  "M" + point(x(series.x[0]), y(series.low[0])) + "V" + px(y(series.high[0])),
                  colour_of(series.colour));
    std::string back;
    for (size_t i = series.x.size(); i-- > 0;)
      back += "L" + point(x(series.x[i]), y(series.low[i]));
    canvas.path("band", along(series.x, series.high) + back + "Z", colour_of(series.colour));
  }
  for (const auto& series : plot.series) {
    if (series.x.empty()) continue;
    canvas.path(series.dashed ? "curve dashed" : "curve", along(series.x, series.share),
                colour_of(series.colour));
    if (series.dashed) continue;
    std::string points;
    for (size_t i = 0; i < series.x.size(); ++i)
      points += "M" + point(x(series.x[i]), y(series.share[i])) + "h0";
    canvas.path("points", points, colour_of(series.colour));
  }
  return canvas.finish();
}

}  // namespace scintigen
