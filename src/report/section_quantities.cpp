// SPDX-License-Identifier: Apache-2.0
// The quantities: values by condition and set, and how far the means are apart against the margin.
#include <algorithm>
#include <numeric>
#include <set>

#include "core/table.h"
#include "report/page.h"

namespace scintigen {
namespace {

std::string tests_of(const Quantity& quantity) {
  std::set<std::string> names;
  for (const auto& condition : quantity.conditions)
    for (const auto& difference : condition.sets)
      if (!difference.test.empty()) names.insert(difference.test);
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : "; ") + name;
  return text;
}

void write_numbers(Page& page, const Quantity& quantity) {
  std::vector<std::vector<std::string>> rows;
  const auto moments = [](double mean, double sd, int64_t n) {
    return n == 0 ? std::string("–") : figure_text(mean) + " ± " + figure_text(sd);
  };
  for (const QuantityInCondition& here : quantity.conditions) {
    const std::string condition = short_condition(here.condition);
    const std::string reference = page.evaluation.sets.empty() ? "" : page.evaluation.sets[0];
    rows.push_back({condition, reference, std::to_string(here.reference_n),
                    moments(here.reference_mean, here.reference_sd, here.reference_n), "", "", "",
                    "", counted(here.reference_patients, "patient")});
    for (const QuantityDifference& difference : here.sets)
      rows.push_back({condition, difference.set, std::to_string(difference.n),
                      moments(difference.mean, difference.sd, difference.n),
                      with_interval(difference.difference, difference.interval),
                      difference.p ? p_text(*difference.p) : "–",
                      difference.adjusted_p ? p_text(*difference.adjusted_p) : "–",
                      agreement_word(difference.agreement),
                      difference.why.empty() ? difference.test : difference.why});
  }
  page.html.open("details").element("summary", "Numbers: " + quantity.name);
  page.table(quantity.name + (quantity.unit.empty() ? "" : " (" + quantity.unit + ")") +
                 ": mean ± SD of the slices; difference of the means in SD of the reference with "
                 "its 90 % interval; p, and p adjusted over the conditions.",
             {"Condition", "Set", "Slices", "Mean ± SD", "Difference [90 %]", "p", "Adjusted p",
              "Agreement", "Test or remark"},
             rows, {1, 7, 8});
  page.html.close("details");
}

void write_quantity(Page& page, const Quantity& quantity, size_t index) {
  Html& html = page.html;
  const std::string id = "quantity-" + std::to_string(index + 1);
  html.element("h3", quantity.name).element("p", sentence(quantity.definition));
  std::vector<size_t> sets(page.evaluation.sets.size());
  std::iota(sets.begin(), sets.end(), size_t{0});
  page.legend(sets);
  // Two plots side by side only where both can be read.
  const size_t places = quantity.conditions.size() * (page.evaluation.sets.size() + 1);
  html.open("div", {{"class", places > 28 ? "plots" : "plots beside"}});
  const std::string tests = tests_of(quantity);
  page.plot(group_plot(quantity, page.evaluation, id),
            quantity.name + " by condition." +
                (tests.empty() ? "" : " Marks: " + tests + "; p adjusted over the conditions."));
  const IntervalPlot intervals = interval_plot(quantity, page.evaluation, id + "-difference");
  if (!intervals.rows.empty())
    page.plot(intervals, quantity.name + ": difference of means with its 90 % interval.");
  html.close("div");
  write_numbers(page, quantity);
}

/// Once, for all the plots that follow.
void write_key(Page& page) {
  Html& html = page.html;
  html.element(
      "p",
      "Values: every point is a slice; the box spans the quartiles with the median, its "
      "whiskers reach 1.5 interquartile ranges, the outline is a kernel density; of a share, the "
      "line alone. Marks "
      "compare each set with the reference: ns p ≥ 0.05, * p < 0.05, ** p < 0.01, *** p < "
      "0.001. Not significant (ns) does not mean equal; that is what the intervals are "
      "for.");
  html.element(
      "p",
      "Differences: of the means, in SD of the reference, with 90 % intervals; "
      "shaded is the margin of ± " +
          number_text(page.evaluation.margin) +
          " SD. Equivalent (filled): the whole interval lies within the margin. Different: "
          "it excludes zero and leaves the margin. Undecided: these data cannot tell.");
}

}  // namespace

void write_quantities(Page& page) {
  const auto& quantities = page.evaluation.quantities;
  const auto judged = std::count_if(quantities.begin(), quantities.end(),
                                    [](const Quantity& q) { return q.judged; });
  Html& html = page.html;
  if (judged > 0) {
    page.open_section("quantities", "Quantities the verdict rests on");
    write_key(page);
    for (size_t i = 0; i < quantities.size(); ++i)
      if (quantities[i].judged) write_quantity(page, quantities[i], i);
    page.close_section();
  }
  if (judged == static_cast<std::ptrdiff_t>(quantities.size())) return;
  page.open_section("further", "Further quantities");
  html.element("p",
               "Regional means are judged together, as one finding; the others are shown for "
               "orientation.");
  for (size_t i = 0; i < quantities.size(); ++i) {
    if (quantities[i].judged) continue;
    html.open("details", {{"class", "part"}}).element("summary", quantities[i].name);
    write_quantity(page, quantities[i], i);
    html.close("details");
  }
  page.close_section();
}

}  // namespace scintigen
