// SPDX-License-Identifier: Apache-2.0
#include "report/svg_canvas.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace scintigen {
namespace {

bool continues(char c) { return (static_cast<uint8_t>(c) & 0xC0) == 0x80; }

/// Characters, not bytes.
size_t length_of(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return !continues(c); }));
}

std::string first_characters(const std::string& text, size_t count) {
  size_t end = 0;
  for (size_t seen = 0; end < text.size(); ++end)
    if (!continues(text[end]) && seen++ == count) break;
  return text.substr(0, end);
}

}  // namespace

std::string px(double value) {
  if (!std::isfinite(value)) return "0";
  std::string text = fmt::format("{:.1f}", value);
  if (text.size() > 2 && text.compare(text.size() - 2, 2, ".0") == 0) text.resize(text.size() - 2);
  return text;
}

SvgCanvas::SvgCanvas(double width_px, double height_px, const std::string& title) {
  html_.open("svg", {{"class", "static-plot"},
                     {"viewBox", "0 0 " + px(width_px) + " " + px(height_px)},
                     {"width", px(width_px)},
                     {"height", px(height_px)},
                     {"role", "img"},
                     {"aria-label", title}});
}

void SvgCanvas::line(const char* css_class, double x1, double y1, double x2, double y2) {
  html_.single(
      "line",
      {{"class", css_class}, {"x1", px(x1)}, {"y1", px(y1)}, {"x2", px(x2)}, {"y2", px(y2)}});
}

void SvgCanvas::text(const char* css_class, double x, double y, const std::string& text) {
  html_.element("text", {{"class", css_class}, {"x", px(x)}, {"y", px(y)}}, text);
}

void SvgCanvas::rectangle(const char* css_class, double x, double y, double width, double height) {
  html_.single("rect", {{"class", css_class},
                        {"x", px(x)},
                        {"y", px(y)},
                        {"width", px(std::max(0.0, width))},
                        {"height", px(std::max(0.0, height))}});
}

void SvgCanvas::path(const char* css_class, const std::string& d, int colour) {
  std::string name = css_class;
  if (colour >= 0) name += " set-" + std::to_string(static_cast<size_t>(colour) % kSetColours);
  html_.single("path", {{"class", name}, {"d", d}});
}

void SvgCanvas::vertical_axis(const Scale& y, const std::vector<double>& ticks, double left,
                              double right, const std::string& title) {
  const auto labels = tick_labels(ticks);
  for (size_t i = 0; i < ticks.size(); ++i) {
    line("grid", left, y(ticks[i]), right, y(ticks[i]));
    text("tick end", left - 8, y(ticks[i]) + 4, labels[i]);
  }
  text("axis-title", left - 46, y.to - 16, title);
}

void SvgCanvas::horizontal_axis(const Scale& x, const std::vector<double>& ticks, double top,
                                double bottom, const std::string& title) {
  const auto labels = tick_labels(ticks);
  for (size_t i = 0; i < ticks.size(); ++i) {
    line("grid", x(ticks[i]), top, x(ticks[i]), bottom);
    text("tick middle", x(ticks[i]), bottom + 18, labels[i]);
  }
  text("axis-title middle", (x.from + x.to) / 2, bottom + 40, title);
}

Html SvgCanvas::finish() {
  html_.close("svg");
  return std::move(html_);
}

std::vector<std::string> tick_labels(const std::vector<double>& ticks) {
  const double step = ticks.size() > 1 ? ticks[1] - ticks[0] : 1;
  const double largest =
      ticks.empty() ? 1 : std::max(std::abs(ticks.front()), std::abs(ticks.back()));
  const int places = std::clamp(static_cast<int>(std::ceil(-std::log10(step) - 1e-9)), 0, 12);
  std::vector<std::string> labels;
  for (double tick : ticks) {
    if (largest >= 1e6 || largest < 1e-5)
      labels.push_back(figure_text(tick));
    else
      labels.push_back(fmt::format("{:.{}f}", std::abs(tick) < step / 2 ? 0.0 : tick, places));
    if (labels.back()[0] == '-') labels.back().replace(0, 1, "−");
  }
  return labels;
}

std::vector<std::string> text_lines(const std::string& text, size_t width, size_t most) {
  std::vector<std::string> lines(1);
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find(' ', begin), text.size());
    const std::string word = text.substr(begin, end - begin);
    if (!lines.back().empty() && length_of(lines.back()) + 1 + length_of(word) > width)
      lines.emplace_back();
    lines.back() += (lines.back().empty() ? "" : " ") + word;
    begin = end + 1;
  }
  const bool cut = lines.size() > most;
  if (cut) lines.resize(most);
  for (std::string& line : lines)
    if (length_of(line) > width + 2) line = first_characters(line, width + 1) + "…";
  if (cut && lines.back().find("…") == std::string::npos) lines.back() += "…";
  return lines;
}

}  // namespace scintigen
