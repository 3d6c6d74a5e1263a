// SPDX-License-Identifier: Apache-2.0
#include "detection/detection_study.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <map>

#include "core/error.h"
#include "metrics/two_sample_tests.h"

namespace scintigen {
namespace {

std::string rounded(double value) { return fmt::format("{:.6g}", value); }

/// Of one person.
struct Judged {
  PatientCurve curve;                     // of a patient
  std::vector<PatientHit> at_thresholds;  // a control hits nothing
};

Judged judge(const ScoredPerson& person, const StudyRule& rule) {
  const auto& [id, scores, mask, lesion] = person;
  Judged judged;
  if (lesion.defined())
    judged.curve = patient_curve(scores, mask, lesion, rule.clusters, rule.most, rule.hit,
                                 {rule.draws, rule.seed});
  const auto target = lesion.defined() ? lesion : torch::zeros_like(mask);
  auto at = rule.clusters;
  for (const double threshold : rule.thresholds) {
    at.threshold = threshold;
    judged.at_thresholds.push_back(
        judge_clusters(find_clusters(scores, at, mask), target, scores.voxel_to_world, rule.hit));
  }
  return judged;
}

}  // namespace

DetectorStudy study_detector(const std::string& name, const std::vector<ScoredPerson>& people,
                             const StudyRule& rule) {
  std::vector<Judged> judged(people.size());
  at::parallel_for(0, static_cast<int64_t>(people.size()), 1, [&](int64_t begin, int64_t end) {
    for (auto p = static_cast<size_t>(begin); p < static_cast<size_t>(end); ++p)
      judged[p] = judge(people[p], rule);
  });
  DetectorStudy study;
  study.name = name;
  study.chance.assign(rule.draws > 0 ? static_cast<size_t>(rule.most) : 0, 0);
  study.in_controls.assign(rule.thresholds.size(), 0);
  std::vector<std::vector<PatientHit>> at_thresholds;
  for (size_t p = 0; p < people.size(); ++p) {
    if (people[p].lesion.defined()) {
      study.patients.push_back(people[p].participant_id);
      study.hits.push_back(judged[p].curve.hits);
      at_thresholds.push_back(judged[p].at_thresholds);
      for (size_t n = 0; n < study.chance.size(); ++n) study.chance[n] += judged[p].curve.chance[n];
    } else {
      study.controls.push_back(people[p].participant_id);
      for (size_t t = 0; t < rule.thresholds.size(); ++t)
        study.in_controls[t] += static_cast<double>(judged[p].at_thresholds[t].clusters);
    }
  }
  require(!study.patients.empty(), "{}: nobody with a lesion to find", name);
  for (auto& chance : study.chance) chance /= static_cast<double>(study.patients.size());
  if (!study.controls.empty())
    for (auto& clusters : study.in_controls) clusters /= static_cast<double>(study.controls.size());
  study.curve = detection_curve(study.hits);
  if (!rule.thresholds.empty()) study.at_thresholds = detection_curve(at_thresholds);
  return study;
}

Table hit_table(const DetectorStudy& study) {
  Table table{"hits.tsv", {"participant_id", "most", "clusters", "rank", "misses"}, {}};
  for (size_t p = 0; p < study.patients.size(); ++p)
    for (size_t k = 0; k < study.hits[p].size(); ++k) {
      const auto& hit = study.hits[p][k];
      table.add_row({study.patients[p], std::to_string(k + 1), std::to_string(hit.clusters),
                     std::to_string(hit.rank), std::to_string(hit.misses)});
    }
  return table;
}

Table curve_table(const DetectorStudy& study) {
  Table table{"curve.tsv",
              {"most", "clusters", "false_clusters", "sensitivity", "lower", "upper", "chance"},
              {}};
  for (size_t k = 0; k < study.curve.size(); ++k) {
    const auto& point = study.curve[k];
    table.add_row({std::to_string(k + 1), rounded(point.clusters), rounded(point.misses),
                   rounded(point.sensitivity), rounded(point.lower), rounded(point.upper),
                   study.chance.empty() ? "n/a" : rounded(study.chance[k])});
  }
  return table;
}

Table froc_table(const DetectorStudy& study, const std::vector<double>& thresholds) {
  Table table{
      "froc.tsv",
      {"threshold", "clusters", "false_clusters", "in_controls", "sensitivity", "lower", "upper"},
      {}};
  for (size_t t = 0; t < study.at_thresholds.size(); ++t) {
    const auto& point = study.at_thresholds[t];
    table.add_row({number_text(thresholds[t]), rounded(point.clusters), rounded(point.misses),
                   study.controls.empty() ? "n/a" : rounded(study.in_controls[t]),
                   rounded(point.sensitivity), rounded(point.lower), rounded(point.upper)});
  }
  return table;
}

Table pair_table(const std::vector<DetectorStudy>& studies) {
  Table table{"pairs.tsv", {"most", "a", "b", "patients", "only_a", "only_b", "p"}, {}};
  for (size_t i = 0; i < studies.size(); ++i)
    for (size_t j = i + 1; j < studies.size(); ++j) {
      const auto &a = studies[i], &b = studies[j];
      std::map<std::string, size_t> of_b;
      for (size_t p = 0; p < b.patients.size(); ++p) of_b[b.patients[p]] = p;
      for (size_t k = 0; k < std::min(a.curve.size(), b.curve.size()); ++k) {
        Sample hits_a, hits_b;
        for (size_t p = 0; p < a.patients.size(); ++p) {
          const auto found = of_b.find(a.patients[p]);
          if (found == of_b.end()) continue;
          hits_a.push_back(a.hits[p][k].hit());
          hits_b.push_back(b.hits[found->second][k].hit());
        }
        require(!hits_a.empty(), "{} and {}: no patient in common", a.name, b.name);
        const auto test = mcnemar_exact(hits_a, hits_b);
        table.add_row({std::to_string(k + 1), a.name, b.name, std::to_string(hits_a.size()),
                       test.p ? rounded(test.figure("only_a")) : "0",
                       test.p ? rounded(test.figure("only_b")) : "0",
                       test.p ? rounded(*test.p) : "n/a"});
      }
    }
  return table;
}

}  // namespace scintigen
