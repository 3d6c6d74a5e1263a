// SPDX-License-Identifier: Apache-2.0
// An evaluation with every part, of slices drawn from smooth blobs: what the report is tested with.
#pragma once
#include <string>
#include <vector>

#include "report/report.h"

namespace scintigen {

struct MadeUp {
  EvaluationInput input;
  Evaluation evaluation;
  ReportExtras extras;
};

struct MadeUpSize {
  std::vector<std::string> conditions = {"cortex, normal", "cortex, unilateral",
                                         "basal_ganglia, normal"};
  int64_t slices = 24;  ///< of each condition, real and in each set
  int64_t people = 12;
  std::vector<std::string> sets = {"synthetic"};
};

/// Deterministic. Names in every place are `name` around what stands there.
MadeUp made_up_evaluation(const MadeUpSize& size = {});

/// The eight conditions and 938 slices a set of a full report.
MadeUpSize full_size();

/// `text` into every text that comes from files or the user: names of patients, sets, conditions,
/// quantities, titles, settings, labels, findings, warnings.
void put_everywhere(MadeUp& made_up, const std::string& text);

}  // namespace scintigen
