// SPDX-License-Identifier: Apache-2.0
// What the sections of the report share: the input, the page so far, numbers of figures and
// tables, the plots' data. One section_*.cpp writes one part of the page.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "report/html.h"
#include "report/plots.h"
#include "report/report.h"

namespace scintigen {

struct Page {
  const EvaluationInput& input;
  const Evaluation& evaluation;
  const ReportExtras& extras;
  Html html;
  int figures = 0, tables = 0;
  nlohmann::ordered_json plots = nlohmann::ordered_json::array();
  std::vector<std::pair<std::string, std::string>> contents;  ///< id, title of each section

  /// Opens a section with its heading and notes it for the contents.
  void open_section(const std::string& id, const std::string& title);
  void close_section();
  /// "Figure 3. " in bold and the text.
  void figure_caption(const std::string& text);
  /// A table in a box of its own that scrolls when the window is narrow. Every row has a cell, the
  /// first names it; the others are numbers (right-aligned) unless named in `text_columns`.
  void table(const std::string& caption, const std::vector<std::string>& columns,
             const std::vector<std::vector<std::string>>& rows,
             const std::vector<size_t>& text_columns = {});
  /// Static plot, with the data of the interactive one; the caption under it.
  template <class Plot>
  void plot(const Plot& plot, const std::string& caption);
  /// Names of these sets (0: the reference) with their colours.
  void legend(const std::vector<size_t>& sets);

  /// Set s of the evaluation: 0 is the reference.
  const SliceSet& set(size_t s) const { return s == 0 ? input.reference : input.synthetic[s - 1]; }
  size_t set_count() const { return 1 + input.synthetic.size(); }
};

/// [set][condition] -> indices of its slices, by the evaluation's table.
std::vector<std::vector<std::vector<int64_t>>> slices_by_condition(const Page& page);

/// `count` of them, evenly spaced; all where there are no more.
std::vector<int64_t> evenly(const std::vector<int64_t>& indices, int64_t count);

/// "0.12 [0.10, 0.15]"; "–" without a value.
std::string with_interval(const std::optional<double>& value,
                          const std::optional<ConfidenceInterval>& interval);

/// With a capital at its beginning.
std::string sentence(std::string text);

/// "1 slice", "2 slices"; thousands apart by thin spaces.
std::string counted(int64_t count, const std::string& one, const std::string& many = "");

// Pictures (pictures.cpp).
enum class ColourScale { perfusion, difference };
/// A slice or map [H,W] as an image of data; values low..high from one end of the scale to the
/// other. Not a number is magenta.
void write_image(Html& html, const torch::Tensor& plane, double low, double high,
                 ColourScale colours, const std::string& description);
/// The scale with a label at its ends and its middle ("" for none).
void write_colour_bar(Html& html, ColourScale colours, const std::string& low,
                      const std::string& middle, const std::string& high);

// Sections, from top to bottom.
void write_verdict(Page& page);
void write_counts(Page& page);
void write_sheets(Page& page);
void write_quantities(Page& page);
void write_maps(Page& page);
void write_distances(Page& page);
void write_audit(Page& page);
void write_interpolations(Page& page);
void write_tests(Page& page);
void write_settings(Page& page);
void write_methods(Page& page);

}  // namespace scintigen
