// SPDX-License-Identifier: Apache-2.0
// The report of a comparison of methods by their scores: one self-contained HTML page.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "metrics/score_study.h"

namespace scintigen {

struct ScoreReportExtras {
  std::string title;                ///< any text; empty: "Methods compared"
  std::string note;                 ///< any text: what was compared and how it was made
  nlohmann::ordered_json settings;  ///< name -> value, shown at the end
};

/// Answers first (differences averaged over the other factors, by patient, with intervals), then
/// violins of each measure by slice and by patient, means, and every paired test. Every text is
/// escaped; complete without JavaScript. Checked tests/report/test_score_report.cpp
std::string score_page(const ScoreStudy& study, const ScoreReportExtras& extras);

}  // namespace scintigen
