// SPDX-License-Identifier: Apache-2.0
// A plot's frame: scales, axes with ticks and grid, text, coloured marks.
#pragma once
#include <string>
#include <vector>

#include "report/html.h"

namespace scintigen {

constexpr size_t kSetColours = 8;  ///< that the style sheet has; sets after them begin anew

/// Pixels with one decimal.
std::string px(double value);

/// Maps [low, high] of the data to [from, to] pixels.
struct Scale {
  double low = 0, high = 1, from = 0, to = 1;
  double operator()(double value) const {
    return from + (value - low) / (high - low) * (to - from);
  }
};

class SvgCanvas {
 public:
  /// `title`: what a screen reader says of it.
  SvgCanvas(double width_px, double height_px, const std::string& title);
  void line(const char* css_class, double x1, double y1, double x2, double y2);
  void text(const char* css_class, double x, double y, const std::string& text);
  void rectangle(const char* css_class, double x, double y, double width, double height);
  /// `d` in the SVG path language; `colour`: index of a set, -1 for none.
  void path(const char* css_class, const std::string& d, int colour = -1);
  /// Grid, labels and title of a vertical axis with `ticks`, over [left, right].
  void vertical_axis(const Scale& y, const std::vector<double>& ticks, double left, double right,
                     const std::string& title);
  void horizontal_axis(const Scale& x, const std::vector<double>& ticks, double top, double bottom,
                       const std::string& title);
  Html finish();

 private:
  Html html_;
};

/// Labels of ticks with as many decimals as their step needs.
std::vector<std::string> tick_labels(const std::vector<double>& ticks);

/// `text` in lines of about `width` characters, broken at spaces, at most `most` of them ("…" at
/// the end of the last).
std::vector<std::string> text_lines(const std::string& text, size_t width, size_t most);

}  // namespace scintigen
