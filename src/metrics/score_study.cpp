// SPDX-License-Identifier: Apache-2.0
#include "metrics/score_study.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/error.h"
#include "metrics/adjust.h"
#include "metrics/samples.h"
#include "metrics/two_sample_tests.h"

namespace scintigen {
namespace {

/// Rows of each participant, ascending by slice.
std::map<std::string, std::vector<size_t>> rows_by_patient(const Table& table) {
  std::map<std::string, std::vector<std::pair<int64_t, size_t>>> found;
  for (size_t row = 0; row < table.rows.size(); ++row)
    found[table.at(row, "participant_id")].emplace_back(table.integer_at(row, "slice"), row);
  std::map<std::string, std::vector<size_t>> rows;
  for (auto& [participant, slices] : found) {
    std::sort(slices.begin(), slices.end());
    for (size_t n = 0; n < slices.size(); ++n) {
      require(n == 0 || slices[n].first != slices[n - 1].first,
              "{}: slice {} of {} stands in two rows; expected one a slice and method", table.name,
              slices[n].first, participant);
      rows[participant].push_back(slices[n].second);
    }
  }
  return rows;
}

void require_same_slices(const Table& table, const std::map<std::string, std::vector<size_t>>& rows,
                         const Table& first_table,
                         const std::map<std::string, std::vector<size_t>>& first) {
  for (const auto& [participant, slices] : first) {
    const auto at = rows.find(participant);
    require(at != rows.end(), "{}: no scores of {}, whom {} has; score the same people", table.name,
            participant, first_table.name);
    require(at->second.size() == slices.size(),
            "{}: {} slices of {}, and {} in {}; score the same slices", table.name,
            at->second.size(), participant, slices.size(), first_table.name);
  }
  for (const auto& [participant, slices] : rows)
    require(first.count(participant) == 1, "{}: {} has no scores in {}; score the same people",
            table.name, participant, first_table.name);
}

Sample mean_over(const std::vector<const Sample*>& samples) {
  Sample mean(samples.front()->size(), 0);
  for (const auto* sample : samples)
    for (size_t n = 0; n < mean.size(); ++n)
      mean[n] += (*sample)[n] / static_cast<double>(samples.size());
  return mean;
}

class Study {
 public:
  explicit Study(ScoreStudy& study) : study_(study) {}

  /// Methods with `level` of a factor, by the levels of the others.
  std::map<std::string, size_t> methods_with(size_t factor, const std::string& level) const {
    std::map<std::string, size_t> found;
    for (size_t m = 0; m < study_.methods.size(); ++m) {
      const auto& levels = study_.methods[m];
      if (levels[factor] != level) continue;
      std::string others;
      for (size_t f = 0; f < levels.size(); ++f)
        if (f != factor) others += (others.empty() ? "" : " / ") + levels[f];
      found[others] = m;
    }
    return found;
  }

  ScoreDifference difference(size_t factor, const std::string& first, const std::string& second,
                             const std::vector<std::pair<size_t, size_t>>& pairs,
                             const std::string& others) const {
    ScoreDifference result;
    result.factor = factor;
    result.first = first;
    result.second = second;
    result.others = others;
    result.combinations = static_cast<int64_t>(pairs.size());
    for (const auto& values : study_.values) {
      const auto test = [&](auto part) {
        std::vector<const Sample*> a, b;
        for (const auto& [one, other] : pairs) {
          a.push_back(&(values[one].*part));
          b.push_back(&(values[other].*part));
        }
        return paired_t(mean_over(b), mean_over(a));
      };
      result.measures.push_back(
          {test(&MethodValues::patients), test(&MethodValues::slices), std::nullopt});
    }
    return result;
  }

  void compare() {
    std::vector<ScoreDifference> averaged, single;
    for (size_t factor = 0; factor < study_.factors.size(); ++factor) {
      const auto levels = study_.levels(factor);
      for (size_t a = 0; a < levels.size(); ++a)
        for (size_t b = a + 1; b < levels.size(); ++b) {
          const auto first = methods_with(factor, levels[a]);
          const auto second = methods_with(factor, levels[b]);
          std::vector<std::pair<size_t, size_t>> pairs;
          for (const auto& [others, method] : first)
            if (second.count(others)) {
              pairs.emplace_back(method, second.at(others));
              single.push_back(difference(factor, levels[a], levels[b], {pairs.back()}, others));
            }
          if (pairs.size() > 1)
            averaged.push_back(difference(factor, levels[a], levels[b], pairs, ""));
        }
    }
    adjust(averaged);
    adjust(single);
    study_.differences = std::move(averaged);
    study_.differences.insert(study_.differences.end(), single.begin(), single.end());
  }

 private:
  void adjust(std::vector<ScoreDifference>& family) const {
    for (size_t m = 0; m < study_.measures.size(); ++m) {
      std::vector<double> p;
      std::vector<ScoreDifference::Measured*> of;
      for (auto& difference : family)
        if (difference.measures[m].by_patient.p) {
          p.push_back(*difference.measures[m].by_patient.p);
          of.push_back(&difference.measures[m]);
        }
      const auto holm = adjusted(p, Adjustment::kHolm);
      for (size_t n = 0; n < of.size(); ++n) of[n]->adjusted_p = holm[n];
    }
  }

  ScoreStudy& study_;
};

std::string cell(const std::optional<double>& value) { return value ? number_text(*value) : "n/a"; }

}  // namespace

std::string ScoreStudy::method_name(size_t method) const {
  return fmt::format("{}", fmt::join(methods[method], " / "));
}

std::vector<std::string> ScoreStudy::levels(size_t factor) const {
  std::vector<std::string> found;
  for (const auto& method : methods)
    if (std::find(found.begin(), found.end(), method[factor]) == found.end())
      found.push_back(method[factor]);
  return found;
}

ScoreStudy study_scores(const std::vector<MethodScores>& methods,
                        const std::vector<std::string>& factors,
                        const std::vector<std::string>& measures) {
  require(methods.size() >= 2, "compare: {} method; expected two or more to compare",
          methods.size());
  require(!measures.empty(), "compare: no measure to compare by");
  ScoreStudy study;
  study.factors = factors;
  study.measures = measures;
  study.values.resize(measures.size());
  const auto first = rows_by_patient(methods.front().rows);
  require(!first.empty(), "{}: no rows", methods.front().rows.name);
  for (const auto& [participant, rows] : first) {
    study.slice_patients.insert(study.slice_patients.end(), rows.size(), study.participants.size());
    study.participants.push_back(participant);
  }
  for (const auto& method : methods) {
    require(method.levels.size() == factors.size(), "{}: {} levels for {} factors",
            method.rows.name, method.levels.size(), factors.size());
    require(
        std::find(study.methods.begin(), study.methods.end(), method.levels) == study.methods.end(),
        "{}: another table is named {} too", method.rows.name, fmt::join(method.levels, " / "));
    study.methods.push_back(method.levels);
    const auto rows = rows_by_patient(method.rows);
    require_same_slices(method.rows, rows, methods.front().rows, first);
    for (size_t m = 0; m < measures.size(); ++m) {
      MethodValues values;
      for (const auto& [participant, of_patient] : rows) {
        double sum = 0;
        for (const size_t row : of_patient) {
          values.slices.push_back(method.rows.number_at(row, measures[m]));
          sum += values.slices.back();
        }
        values.patients.push_back(sum / static_cast<double>(of_patient.size()));
      }
      study.values[m].push_back(std::move(values));
    }
  }
  Study(study).compare();
  return study;
}

ScoreSpread spread_of(const std::vector<double>& values) {
  const auto moments = moments_of(values);
  ScoreSpread spread;
  spread.mean = moments.mean;
  spread.sd = std::sqrt(moments.variance);
  spread.cv = moments.mean != 0 ? spread.sd / std::abs(moments.mean) : 0;
  return spread;
}

bool lower_is_better(const std::string& measure) {
  static const std::vector<std::string> kErrors = {"rmse", "mae", "mse", "nrmse", "lpips", "error"};
  return std::any_of(kErrors.begin(), kErrors.end(),
                     [&](const auto& name) { return measure.rfind(name, 0) == 0; });
}

Table patients_table(const ScoreStudy& study) {
  Table table{"by_patient.csv", study.factors, {}};
  for (const char* column : {"participant_id", "measure", "value"}) table.columns.push_back(column);
  for (size_t method = 0; method < study.methods.size(); ++method)
    for (size_t m = 0; m < study.measures.size(); ++m)
      for (size_t p = 0; p < study.participants.size(); ++p) {
        auto cells = study.methods[method];
        cells.insert(cells.end(), {study.participants[p], study.measures[m],
                                   number_text(study.values[m][method].patients[p])});
        table.add_row(std::move(cells));
      }
  return table;
}

Table methods_table(const ScoreStudy& study) {
  Table table{"methods.csv", study.factors, {}};
  for (const char* column :
       {"measure", "patients", "mean", "sd", "cv", "slices", "slice_mean", "slice_sd", "slice_cv"})
    table.columns.push_back(column);
  for (size_t method = 0; method < study.methods.size(); ++method)
    for (size_t m = 0; m < study.measures.size(); ++m) {
      const auto& values = study.values[m][method];
      auto cells = study.methods[method];
      cells.push_back(study.measures[m]);
      for (const auto* of : {&values.patients, &values.slices}) {
        const auto spread = spread_of(*of);
        cells.push_back(std::to_string(of->size()));
        for (const double value : {spread.mean, spread.sd, spread.cv})
          cells.push_back(number_text(value));
      }
      table.add_row(std::move(cells));
    }
  return table;
}

Table differences_table(const ScoreStudy& study) {
  Table table{"differences.csv",
              {"factor", "first", "second", "others", "combinations", "measure", "patients",
               "difference", "low", "high", "p", "p_holm", "slices", "slice_difference",
               "slice_low", "slice_high", "slice_p"},
              {}};
  for (const auto& difference : study.differences)
    for (size_t m = 0; m < study.measures.size(); ++m) {
      const auto& [by_patient, by_slice, adjusted_p] = difference.measures[m];
      std::vector<std::string> cells = {study.factors[difference.factor],
                                        difference.first,
                                        difference.second,
                                        difference.combinations > 1 ? "mean over all"
                                        : difference.others.empty() ? "n/a"
                                                                    : difference.others,
                                        std::to_string(difference.combinations),
                                        study.measures[m]};
      for (const auto* test : {&by_patient, &by_slice}) {
        std::optional<double> value, low, high;
        if (test->not_computed.empty()) value = test->figure("difference");
        if (test->interval) {
          low = test->interval->low;
          high = test->interval->high;
        }
        cells.insert(cells.end(),
                     {std::to_string(test->n), cell(value), cell(low), cell(high), cell(test->p)});
        if (test == &by_patient) cells.push_back(cell(adjusted_p));
      }
      table.add_row(std::move(cells));
    }
  return table;
}

}  // namespace scintigen
