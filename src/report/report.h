// SPDX-License-Identifier: Apache-2.0
// The report of an evaluation: one HTML file that needs nothing else, now or in ten years.
// Does: words, pictures, plots and tables of what evaluate_slices() found. Does not: compute a
// figure that the evaluation lacks (but for the shapes of box and violin), read or send anything.
#pragma once
#include <torch/types.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "metrics/evaluation.h"

namespace scintigen {

/// Synthetic slices along a path between two latents.
struct InterpolationStrip {
  std::string label;     ///< any text
  torch::Tensor slices;  ///< [steps,H,W] in [0,1]
};

struct ReportExtras {
  std::string title;  ///< any text; empty: "Synthetic against real slices"
  std::vector<InterpolationStrip> interpolations;
  nlohmann::ordered_json settings;  ///< as it is shown: objects, arrays of objects, values
};

/// Writes the page to `path`, atomically. Complete without JavaScript; with it (builds with
/// SCINTIGEN_WEB) every plot can be hovered, zoomed and saved. Every text of the arguments is
/// escaped, and the page's Content-Security-Policy allows its own script by SHA-256 and no request.
/// At most 640 pictures of slices: with many conditions fewer of each are shown, and it says so.
/// evaluation.slices: column `set`; the rows of a set in the order of its slices, with the columns
/// `condition` and `participant_id`; columns named like a quantity's key hold its values.
/// throws  Error: the path cannot be written; evaluation and input are of different sets; slices
///         that are not [N,H,W]
/// Checked tests/report/test_report.cpp (escaping, sections, empty cases), tests/cli/report/*.sh
///         (headless Chromium)
void write_report(const std::filesystem::path& path, const EvaluationInput& input,
                  const Evaluation& evaluation, const ReportExtras& extras);

/// The page itself.
std::string report_page(const EvaluationInput& input, const Evaluation& evaluation,
                        const ReportExtras& extras);

}  // namespace scintigen
