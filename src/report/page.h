// SPDX-License-Identifier: Apache-2.0
// What the sections of an evaluation's report share: the input and the document so far. One
// section_*.cpp writes one part of the page.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "report/document.h"
#include "report/report.h"

namespace scintigen {

struct Page : Document {
  Page(const EvaluationInput& of, const Evaluation& what, const ReportExtras& more)
      : input(of), evaluation(what), extras(more) {}
  const EvaluationInput& input;
  const Evaluation& evaluation;
  const ReportExtras& extras;

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
