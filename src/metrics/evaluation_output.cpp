// SPDX-License-Identifier: Apache-2.0
// An evaluation as JSON. Keys: docs/file_formats.md.
#include <nlohmann/json.hpp>

#include "metrics/evaluation.h"

namespace scintigen {
namespace {

using Json = nlohmann::ordered_json;

template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json or_null(const std::optional<ConfidenceInterval>& interval) {
  if (!interval) return nullptr;
  return {{"low", interval->low}, {"high", interval->high}, {"level", interval->level}};
}

void say_why(Json& json, const std::string& why) {
  if (!why.empty()) json["not_computed"] = why;
}

Json difference_json(const QuantityDifference& difference) {
  Json json = {{"set", difference.set},
               {"n", difference.n},
               {"mean", difference.n > 0 ? Json(difference.mean) : Json(nullptr)},
               {"sd", difference.n > 1 ? Json(difference.sd) : Json(nullptr)},
               {"difference_in_sd", or_null(difference.difference)},
               {"interval", or_null(difference.interval)},
               {"p", or_null(difference.p)},
               {"adjusted_p", or_null(difference.adjusted_p)},
               {"test", difference.test},
               {"agreement", agreement_word(difference.agreement)}};
  say_why(json, difference.why);
  return json;
}

Json quantity_json(const Quantity& quantity) {
  Json json = {{"key", quantity.key},       {"name", quantity.name},
               {"unit", quantity.unit},     {"definition", quantity.definition},
               {"judged", quantity.judged}, {"conditions", Json::array()}};
  for (const auto& condition : quantity.conditions) {
    Json entry = {
        {"condition", condition.condition},
        {"n", condition.reference_n},
        {"patients", condition.reference_patients},
        {"mean", condition.reference_n > 0 ? Json(condition.reference_mean) : Json(nullptr)},
        {"sd", condition.reference_n > 1 ? Json(condition.reference_sd) : Json(nullptr)},
        {"sets", Json::array()}};
    for (const auto& set : condition.sets) entry["sets"].push_back(difference_json(set));
    if (condition.comparison) entry["comparison"] = comparison_to_json(*condition.comparison);
    json["conditions"].push_back(std::move(entry));
  }
  return json;
}

Json feature_space_json(const FeatureSpace& space) {
  Json json = {{"key", space.key},
               {"name", space.name},
               {"definition", space.definition},
               {"features", space.size},
               {"distances", Json::object()}};
  for (const auto& distance : space.distances) {
    Json entry = {{"definition", distance.definition}, {"ideal", distance.ideal}};
    for (const auto& value : distance.values) {
      Json own = {{"value", or_null(value.value)}, {"interval", or_null(value.interval)}};
      say_why(own, value.why);
      entry["sets"][value.set] = std::move(own);
    }
    json["distances"][distance.key] = std::move(entry);
  }
  return json;
}

Json audit_json(const SetAudit& audit) {
  Json json = {{"set", audit.set}};
  say_why(json, audit.why);
  if (!audit.audit) return json;
  json["threshold"] = audit.audit->threshold;
  json["threshold_is_minimum"] = audit.audit->threshold_is_minimum;
  json["suspect_share"] = audit.suspect_share;
  json["membership_auc"] = audit.audit->membership_auc;
  json["membership_auc_interval"] = or_null(audit.auc_interval);
  json["suspects"] = Json::array();
  for (const auto& suspect : audit.audit->suspects)
    json["suspects"].push_back({{"synthetic", suspect.synthetic},
                                {"training", suspect.training},
                                {"distance", suspect.distance}});
  return json;
}

}  // namespace

nlohmann::ordered_json evaluation_to_json(const Evaluation& evaluation) {
  Json json = {{"headline", evaluation.headline}, {"findings", Json::array()},
               {"warnings", evaluation.warnings}, {"sets", evaluation.sets},
               {"conditions", Json::array()},     {"quantities", Json::array()},
               {"variety", Json::array()},        {"features", Json::array()},
               {"audits", Json::array()},         {"methods", evaluation.methods}};
  for (const auto& finding : evaluation.findings)
    json["findings"].push_back({{"set", finding.set},
                                {"subject", finding.subject},
                                {"grade", grade_word(finding.grade)},
                                {"sentence", finding.sentence}});
  for (size_t condition = 0; condition < evaluation.conditions.size(); ++condition) {
    Json entry = {{"condition", evaluation.conditions[condition]},
                  {"patients", evaluation.patients[condition]}};
    for (size_t set = 0; set < evaluation.sets.size(); ++set)
      entry["slices"][evaluation.sets[set]] = evaluation.counts[set][condition];
    json["conditions"].push_back(std::move(entry));
  }
  for (const auto& quantity : evaluation.quantities)
    json["quantities"].push_back(quantity_json(quantity));
  for (const auto& maps : evaluation.maps) {
    Json entry = {{"condition", maps.condition}, {"sd_ratio", Json::object()}};
    for (size_t set = 1; set < evaluation.sets.size(); ++set)
      entry["sd_ratio"][evaluation.sets[set]] = {{"value", or_null(maps.deviation_ratio[set])},
                                                 {"interval", or_null(maps.ratio_interval[set])}};
    json["variety"].push_back(std::move(entry));
  }
  for (const auto& space : evaluation.features)
    json["features"].push_back(feature_space_json(space));
  for (const auto& audit : evaluation.audits) json["audits"].push_back(audit_json(audit));
  return json;
}

}  // namespace scintigen
