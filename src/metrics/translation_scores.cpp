// SPDX-License-Identifier: Apache-2.0
#include "metrics/translation_scores.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "metrics/image_errors.h"
#include "metrics/structural_similarity.h"
#include "metrics/two_sample_tests.h"

namespace scintigen {
namespace {

using Json = nlohmann::ordered_json;
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
const std::string kMissing = "n/a";

/// Values of a column in the rows that `keep` accepts, without missing ones.
template <class Keep>
std::vector<double> values_of(const Table& table, const std::string& column, const Keep& keep) {
  std::vector<double> values;
  for (size_t row = 0; row < table.rows.size(); ++row)
    if (keep(row) && table.at(row, column) != kMissing)
      values.push_back(table.number_at(row, column));
  return values;
}

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return values.empty() ? kNone : sum / static_cast<double>(values.size());
}

Json spread(const std::vector<double>& values) {
  Json json = {{"n", values.size()}};
  if (values.empty()) return json;
  const double mean = mean_of(values);
  json["mean"] = mean;
  if (values.size() < 2) return json;
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  const double sd = std::sqrt(squares / static_cast<double>(values.size() - 1));
  json["sd"] = sd;
  if (mean != 0) json["cv"] = sd / std::abs(mean);
  return json;
}

std::vector<std::string> distinct(const Table& table, const std::string& column) {
  std::vector<std::string> found;
  for (size_t row = 0; row < table.rows.size(); ++row)
    if (std::find(found.begin(), found.end(), table.at(row, column)) == found.end())
      found.push_back(table.at(row, column));
  return found;
}

/// method minus other, paired by participant.
Json paired_difference(const Table& patients, const std::string& measure, const std::string& method,
                       const std::string& other) {
  std::map<std::string, double> of_method;
  Sample a, b;
  for (size_t row = 0; row < patients.rows.size(); ++row)
    if (patients.at(row, "method") == method && patients.at(row, measure) != kMissing)
      of_method[patients.at(row, "participant_id")] = patients.number_at(row, measure);
  for (size_t row = 0; row < patients.rows.size(); ++row) {
    const auto found = of_method.find(patients.at(row, "participant_id"));
    if (patients.at(row, "method") != other || found == of_method.end() ||
        patients.at(row, measure) == kMissing)
      continue;
    a.push_back(found->second);
    b.push_back(patients.number_at(row, measure));
  }
  Json json = {{"patients", a.size()}};
  if (a.empty()) return json;
  const auto test = paired_t(a, b);
  double sum = 0;
  for (size_t n = 0; n < a.size(); ++n) sum += a[n] - b[n];
  json["mean_difference"] = sum / static_cast<double>(a.size());
  if (!test.not_computed.empty()) {
    json["not_computed"] = test.not_computed;
    return json;
  }
  for (const auto& [name, value] : test.figures)
    if (name != "difference") json[name] = value;
  if (test.p) json["p"] = *test.p;
  if (test.interval) json["interval"] = {test.interval->low, test.interval->high};
  return json;
}

}  // namespace

std::vector<double> slice_measures(const torch::Tensor& made, const torch::Tensor& real,
                                   const torch::Tensor& brain) {
  const bool masked = brain.defined() && (brain > 0).any().item<bool>();
  const auto pair = image_pair(real.unsqueeze(0), made.unsqueeze(0),
                               masked ? (brain > 0).unsqueeze(0) : torch::Tensor(),
                               {"the real slice", "the translated slice", "the brain"});
  const DataRange range{kTranslationRange, -1};
  const auto errors = image_errors(pair, range);
  const auto similarity =
      structural_similarity(pair, range, SimilarityWindow::kGaussian, SimilarityExtent::kSlice);
  std::vector<double> found = {errors.rmse, errors.mae, errors.psnr, similarity.value,
                               kNone,       kNone,      kNone};
  if (!masked) return found;
  const auto inside = image_errors_in_mask(pair, range);
  found[4] = inside.rmse;
  found[5] = inside.psnr;
  found[6] = similarity.in_mask;
  return found;
}

CountErrors count_errors(const torch::Tensor& made, const torch::Tensor& real,
                         const torch::Tensor& inside) {
  const auto in = inside > 0;
  const auto a = made.masked_select(in).to(torch::kDouble);
  const auto b = real.masked_select(in).to(torch::kDouble);
  const double mean = b.mean().item<double>(), made_mean = a.mean().item<double>();
  CountErrors errors{kNone, kNone, kNone};
  if (!(std::abs(mean) > 0)) return errors;
  errors.error = (a - b).abs().mean().item<double>() / std::abs(mean);
  errors.bias = (made_mean - mean) / mean;
  if (made_mean != 0)
    errors.error_known_mean =
        (a * (mean / made_mean) - b).abs().mean().item<double>() / std::abs(mean);
  return errors;
}

Table scores_by_patient(const Table& slices) {
  Table table{"patients.csv", {"method", "participant_id", "role", "slices"}, {}};
  for (const auto& measure : kSliceMeasures) table.columns.push_back(measure);
  for (const auto& method : distinct(slices, "method"))
    for (const auto& participant : distinct(slices, "participant_id")) {
      std::string role;
      int64_t count = 0;
      const auto mine = [&](size_t row) {
        return slices.at(row, "method") == method &&
               slices.at(row, "participant_id") == participant;
      };
      for (size_t row = 0; row < slices.rows.size(); ++row)
        if (mine(row)) {
          role = slices.at(row, "role");
          ++count;
        }
      if (count == 0) continue;
      std::vector<std::string> cells = {method, participant, role, std::to_string(count)};
      for (const auto& measure : kSliceMeasures) {
        const double mean = mean_of(values_of(slices, measure, mine));
        cells.push_back(std::isfinite(mean) ? number_text(mean) : kMissing);
      }
      table.add_row(std::move(cells));
    }
  return table;
}

Json summarise_scores(const Table& slices, const Table& patients, const std::string& method) {
  Json summary = {{"method", method},
                  {"range", kTranslationRange},
                  {"patients", distinct(patients, "participant_id").size()},
                  {"note",
                   "Slices scaled to (-1,1), range 2. SSIM: Gaussian window 11 / 1.5. Tests are "
                   "paired by patient; slices of one patient are not independent."}};
  std::vector<std::string> measures;
  for (size_t column = 4; column < patients.columns.size(); ++column)
    measures.push_back(patients.columns[column]);
  for (const auto& measure : measures) {
    Json here = Json::object();
    for (const auto& name : distinct(patients, "method")) {
      const auto of = [&](const Table& table) {
        return values_of(table, measure,
                         [&](size_t row) { return table.at(row, "method") == name; });
      };
      Json entry;
      entry["by_patient"] = spread(of(patients));
      if (slices.find_column(measure)) entry["by_slice"] = spread(of(slices));
      if (name != method) entry["difference"] = paired_difference(patients, measure, method, name);
      here[name] = std::move(entry);
    }
    summary["measures"][measure] = std::move(here);
  }
  return summary;
}

std::string scores_text(const Json& summary) {
  const auto number = [](const Json& of, const char* key, const char* format) {
    return of.contains(key) ? fmt::format(fmt::runtime(format), of.at(key).get<double>())
                            : std::string("-");
  };
  std::string text = fmt::format("{:<27}{:<19}{:>10}{:>8}{:>12}{:>24}{:>10}\n", "measure", "method",
                                 "mean", "CV", "difference", "95 % interval", "p");
  for (const auto& [measure, methods] : summary.at("measures").items())
    for (const auto& [name, entry] : methods.items()) {
      const auto& by_patient = entry.at("by_patient");
      if (!by_patient.contains("mean")) continue;
      const auto difference = entry.value("difference", Json::object());
      text += fmt::format(
          "{:<27}{:<19}{:>10}{:>8}{:>12}{:>24}{:>10}\n", measure, name,
          number(by_patient, "mean", "{:.4f}"), number(by_patient, "cv", "{:.3f}"),
          number(difference, "mean_difference", "{:+.4f}"),
          difference.contains("interval")
              ? fmt::format("{:+.4f} to {:+.4f}", difference["interval"][0].get<double>(),
                            difference["interval"][1].get<double>())
              : std::string("-"),
          number(difference, "p", "{:.2g}"));
    }
  return text + fmt::format("by patient, {} of them; difference: {} minus the method of the row\n",
                            summary.at("patients").get<int64_t>(),
                            summary.at("method").get<std::string>());
}

}  // namespace scintigen
