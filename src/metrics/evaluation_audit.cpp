// SPDX-License-Identifier: Apache-2.0
// Step 4 of evaluate_slices(): copies of training slices.
#include <ATen/ATen.h>

#include <algorithm>
#include <map>

#include "core/random.h"
#include "metrics/evaluation_parts.h"

namespace scintigen {
namespace {

constexpr int64_t kMostAucResamples = 500;

/// Rows of each patient, in order of first appearance.
std::vector<std::vector<int64_t>> rows_by_patient(const Table& table) {
  std::vector<std::vector<int64_t>> rows;
  std::map<std::string, size_t> number;
  for (size_t row = 0; row < table.rows.size(); ++row) {
    const auto place = number.emplace(table.at(row, "participant_id"), number.size()).first->second;
    if (place == rows.size()) rows.emplace_back();
    rows[place].push_back(static_cast<int64_t>(row));
  }
  return rows;
}

torch::Tensor drawn(const torch::Tensor& values, const std::vector<std::vector<int64_t>>& patients,
                    Random& random) {
  std::vector<int64_t> rows;
  for (size_t i = 0; i < patients.size(); ++i) {
    const auto& own =
        patients[static_cast<size_t>(random.integer(0, static_cast<int64_t>(patients.size()) - 1))];
    rows.insert(rows.end(), own.begin(), own.end());
  }
  return values.index_select(0, torch::tensor(rows, torch::kLong));
}

std::optional<ConfidenceInterval> auc_interval(const CopyAudit& audit, const EvaluationInput& input,
                                               const EvaluationSettings& settings) {
  const auto members = rows_by_patient(input.training.table);
  const auto strangers = rows_by_patient(input.reference.table);
  if (members.size() < 2 || strangers.size() < 2) return std::nullopt;
  const auto resamples = std::min(settings.resamples, kMostAucResamples);
  std::vector<double> values;
  for (int64_t resample = 0; resample < resamples; ++resample) {
    Random random(static_cast<uint64_t>(settings.seed), "membership",
                  static_cast<uint64_t>(resample));
    values.push_back(area_under_curve(drawn(audit.held_out_to_synthetic, strangers, random),
                                      drawn(audit.training_to_synthetic, members, random)));
  }
  std::sort(values.begin(), values.end());
  const auto at = [&](double part) {
    return values[static_cast<size_t>(part * static_cast<double>(values.size() - 1) + 0.5)];
  };
  return ConfidenceInterval{at(0.025), at(0.975), 0.95};
}

}  // namespace

SetAudit audit_set(const SliceSet& synthetic, const EvaluationInput& input,
                   const EvaluationSettings& settings) {
  SetAudit result;
  result.set = synthetic.name;
  if (input.training.size() == 0 || !input.reference_is_held_out)
    result.why =
        "no patients are known to have been held out, so nothing says how near a stranger's slice "
        "lies; name a run that was trained with --hold-out, and do not compare --against all";
  if (!result.why.empty()) return result;
  result.audit = audit_copies(synthetic.slices, input.training.slices, input.reference.slices,
                              settings.shift_px);
  result.suspect_share =
      static_cast<double>(result.audit->suspects.size()) / static_cast<double>(synthetic.size());
  result.auc_interval = auc_interval(*result.audit, input, settings);
  return result;
}

}  // namespace scintigen
