// SPDX-License-Identifier: Apache-2.0
// Slices of each condition, real above synthetic, and paths between latents.
#include <algorithm>

#include "report/page.h"

namespace scintigen {
namespace {

constexpr int64_t kMostPictures = 640;  ///< about 7 kB each: well under 10 MB

/// "sub-01" where the set's table knows.
std::string participant_of(const SliceSet& set, int64_t index) {
  const auto column = set.table.find_column("participant_id");
  const auto row = static_cast<size_t>(index);
  if (!column || row >= set.table.rows.size()) return "";
  const std::string& name = set.table.rows[row][*column];
  return name.empty() || name == "n/a" ? "" : name + ", ";
}

void write_row(Page& page, const SliceSet& set, const std::string& name, const std::string& count,
               const std::vector<int64_t>& indices, const std::string& condition) {
  Html& html = page.html;
  html.open("div", {{"class", "sheet-row"}});
  html.open("div", {{"class", "row-label"}}).element("strong", name);
  html.element("span", count).close("div");
  html.open("div",
            {{"class", "pictures"}, {"role", "group"}, {"aria-label", name + ", " + condition}});
  for (const int64_t index : indices)
    write_image(html, set.slices[index], 0, 1, ColourScale::perfusion,
                name + ", " + condition + ": " + participant_of(set, index) + "slice " +
                    std::to_string(index + 1) + " of the set");
  if (indices.empty()) html.element("p", {{"class", "none"}}, "no slices of this condition");
  html.close("div").close("div");
}

}  // namespace

void write_sheets(Page& page) {
  const Evaluation& evaluation = page.evaluation;
  Html& html = page.html;
  const auto indices = slices_by_condition(page);
  const auto rows = static_cast<int64_t>(evaluation.conditions.size() * page.set_count());
  const int64_t most = std::clamp<int64_t>(kMostPictures / std::max<int64_t>(rows, 1), 2, 8);
  page.open_section("slices", "Real and synthetic slices");
  html.element("p",
               "Up to " + std::to_string(most) +
                   " slices of each set, drawn evenly over its rows, not chosen. Colours: share of "
                   "the slice's own maximum. The left edge of a picture is the patient's right "
                   "(R), the top is anterior.");
  write_colour_bar(html, ColourScale::perfusion, "0 %", "50 %", "100 %");
  for (size_t c = 0; c < evaluation.conditions.size(); ++c) {
    const std::string condition = short_condition(evaluation.conditions[c]);
    html.open("figure", {{"class", "sheet"}}).element("h3", condition);
    for (size_t s = 0; s < page.set_count(); ++s) {
      const auto& all = indices[s][c];
      const auto shown = evenly(all, most);
      const std::string count = shown.size() == all.size()
                                    ? counted(static_cast<int64_t>(all.size()), "slice")
                                    : std::to_string(shown.size()) + " of " +
                                          counted(static_cast<int64_t>(all.size()), "slice");
      write_row(page, page.set(s), evaluation.sets[s], count, shown, condition);
    }
    page.figure_caption("Slices of " + condition + ".");
    html.close("figure");
  }
  page.close_section();
}

void write_interpolations(Page& page) {
  if (page.extras.interpolations.empty()) return;
  Html& html = page.html;
  page.open_section("interpolation", "Between two latents");
  html.element("p",
               "Each strip goes in equal steps from one random latent to another. Slices that "
               "change smoothly speak for a generator that learned a continuum; one that leaps "
               "between fixed pictures has stored them.");
  write_colour_bar(html, ColourScale::perfusion, "0 %", "50 %", "100 %");
  for (const InterpolationStrip& strip : page.extras.interpolations) {
    html.open("figure", {{"class", "sheet strip"}});
    html.open("div", {{"class", "pictures"}, {"role", "group"}, {"aria-label", strip.label}});
    const int64_t steps = std::min<int64_t>(strip.slices.defined() ? strip.slices.size(0) : 0, 24);
    for (int64_t i = 0; i < steps; ++i)
      write_image(html, strip.slices[i], 0, 1, ColourScale::perfusion,
                  strip.label + ": step " + std::to_string(i + 1) + " of " + std::to_string(steps));
    html.close("div");
    page.figure_caption(strip.label);
    html.close("figure");
  }
  page.close_section();
}

}  // namespace scintigen
