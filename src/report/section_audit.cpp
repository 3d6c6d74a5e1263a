// SPDX-License-Identifier: Apache-2.0
// Did the generator copy its training images?
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "report/page.h"

namespace scintigen {
namespace {

constexpr size_t kMostPairs = 8;

std::vector<double> ascending(const torch::Tensor& values) {
  std::vector<double> list;
  if (!values.defined()) return list;
  const auto flat = values.to(torch::kCPU, torch::kDouble).flatten().contiguous();
  for (int64_t i = 0; i < flat.numel(); ++i)
    if (std::isfinite(flat.data_ptr<double>()[i])) list.push_back(flat.data_ptr<double>()[i]);
  std::sort(list.begin(), list.end());
  return list;
}

void write_pairs(Page& page, const SetAudit& audit, size_t set) {
  const auto& suspects = audit.audit->suspects;
  if (suspects.empty() || set == 0) return;
  Html& html = page.html;
  const SliceSet &synthetic = page.set(set), &training = page.input.training;
  html.open("figure", {{"class", "sheet"}}).open("div", {{"class", "pairs"}});
  size_t shown = 0;
  for (const CopySuspect& suspect : suspects) {
    if (suspect.synthetic < 0 || suspect.synthetic >= synthetic.size() || suspect.training < 0 ||
        suspect.training >= training.size() || shown == kMostPairs)
      continue;
    ++shown;
    html.open("div", {{"class", "pair"}});
    html.open("div", {{"class", "pictures"}, {"role", "group"}, {"aria-label", "suspected copy"}});
    write_image(html, synthetic.slices[suspect.synthetic], 0, 1, ColourScale::perfusion,
                audit.set + ": slice " + std::to_string(suspect.synthetic + 1));
    write_image(html, training.slices[suspect.training], 0, 1, ColourScale::perfusion,
                "its nearest training slice, number " + std::to_string(suspect.training + 1));
    html.close("div");
    html.element("span", "distance " + figure_text(suspect.distance)).close("div");
  }
  html.close("div");
  page.figure_caption(
      "Nearest pairs: slice of " + audit.set + " (left) and its nearest training slice (right). " +
      (suspects.size() > shown ? std::to_string(shown) + " of " +
                                     counted(static_cast<int64_t>(suspects.size()), "suspect") + "."
                               : std::string("All suspects.")));
  html.close("figure");
}

void write_set(Page& page, const SetAudit& audit, size_t index) {
  Html& html = page.html;
  if (page.evaluation.audits.size() > 1) html.element("h3", audit.set);
  if (!audit.audit) {
    html.element("p", audit.set + ": no audit: " + (audit.why.empty() ? "not done" : audit.why));
    return;
  }
  const CopyAudit& figures = *audit.audit;
  const auto& sets = page.evaluation.sets;
  const auto set =
      static_cast<size_t>(std::find(sets.begin(), sets.end(), audit.set) - sets.begin());
  CumulativePlot plot;
  plot.id = "audit-" + std::to_string(index + 1);
  plot.name = "Distance to the nearest training slice, " + audit.set;
  plot.axis = "Relative distance to the nearest training slice";
  plot.threshold = figures.threshold;
  plot.series.push_back(
      {sets.empty() ? "real" : sets[0] + ", held out", 0, ascending(figures.held_out)});
  plot.series.push_back({audit.set, set, ascending(figures.synthetic)});
  const auto suspects = static_cast<int64_t>(figures.suspects.size());
  page.table("Audit of " + audit.set + ".", {"Figure", "Value", "Meaning"},
             {{"Suspected copies",
               std::to_string(suspects) + " of " +
                   counted(static_cast<int64_t>(plot.series[1].values.size()), "slice") + " (" +
                   figure_text(100 * audit.suspect_share, 2) + " %)",
               figures.threshold_is_minimum
                   ? "nearer to a training slice than any held-out slice is"
                   : "nearer to a training slice than the threshold; 1 % is expected by chance"},
              {"Threshold", figure_text(figures.threshold),
               figures.threshold_is_minimum
                   ? "the least distance of a held-out slice (there are fewer than 100)"
                   : "1st percentile of the held-out slices"},
              {"Membership AUC", with_interval(figures.membership_auc, audit.auc_interval),
               "0.5: membership in the training data does not show; 1: it always does; 95 % "
               "interval"}},
             {2});
  page.legend({0, set});
  page.plot(plot,
            "Share of slices whose nearest training slice is at most so far away (root mean square "
            "difference over that of the training slice, best of shifts and flips). A synthetic "
            "curve left of the held-out one is nearer to the training data than strangers are.");
  write_pairs(page, audit, set < sets.size() ? set : 0);
}

}  // namespace

void write_audit(Page& page) {
  const auto& audits = page.evaluation.audits;
  if (audits.empty()) return;
  page.open_section("audit", "Audit for copies");
  for (size_t i = 0; i < audits.size(); ++i) write_set(page, audits[i], i);
  page.close_section();
}

}  // namespace scintigen
