// SPDX-License-Identifier: Apache-2.0
#include "cli/translate_scores.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/atomic_file.h"
#include "metrics/translation_scores.h"

namespace scintigen {
namespace {

const std::vector<std::string> kCountColumns = {
    "count_error", "count_error_known_mean", "count_error_known_scaling",
    "count_bias",  "neighbour_difference",   "neighbour_difference_real"};

std::string cell(double value) { return std::isfinite(value) ? number_text(value) : "n/a"; }

/// Planes that training would have taken of this person and that were translated.
std::vector<int64_t> scored_planes(const TranslatedPerson& made, const PairedPerson& person) {
  std::vector<int64_t> planes;
  for (const int64_t k : made.pixels.planes)
    if (person.is_chosen(k)) planes.push_back(k);
  return planes;
}

/// The part of a plane that a square of `side` shows; not what a square shows beyond the plane,
/// which would only flatter.
torch::Tensor shown(const torch::Tensor& plane, int64_t side) {
  auto part = plane;
  for (const int64_t axis : {0, 1}) {
    const int64_t pixels = plane.size(axis), count = std::min(pixels, side);
    const int64_t from = std::max<int64_t>((pixels - side) / 2, 0);
    part = part.narrow(axis, pixels - from - count, count);  // both axes are turned in a slice
  }
  return part.contiguous();
}

/// The target's planes as the network was to make them, [D,H,W] in [-1,1].
torch::Tensor scaled_target(const PairedPerson& person, const std::vector<int64_t>& planes,
                            int64_t side) {
  auto scaled = torch::full(person.target.voxels.sizes(), -1.0F, torch::kFloat);
  for (const int64_t k : planes)
    put_slice(
        scaled_slice(person.target.voxels, k, side, person.target.low, person.target.high).pixels,
        k, scaled);
  return scaled;
}

}  // namespace

torch::Tensor real_counts(const PairedPerson& person) {
  auto counts = person.target.voxels.clone();
  const auto& pairs = person.target_to_unit;
  for (int64_t k = 0; k < counts.size(0); ++k) {
    const auto& [slope, intercept] = pairs[pairs.size() == 1 ? 0 : static_cast<size_t>(k)];
    counts[k].mul_(slope).add_(intercept);
  }
  return counts;
}

TranslateScores::TranslateScores(std::string method) : method_(std::move(method)) {
  slices_ = {"scores.csv", {"method", "participant_id", "role", "slice", "place"}, {}};
  for (const auto& measure : kSliceMeasures) slices_.columns.push_back(measure);
  counts_ = {"counts", {"method", "participant_id"}, {}};
  for (const auto& column : kCountColumns) counts_.columns.push_back(column);
}

void TranslateScores::add(const TranslateSubject& subject, const TranslatedPerson& made,
                          const PairedTranslator& translator, double even_sigma_planes) {
  const auto& person = subject.person;
  const auto& data = translator.data();
  const auto planes = scored_planes(made, person);
  const auto real = real_counts(person);
  const auto inside = made.inside;
  auto scored = torch::zeros_like(inside);
  for (const int64_t k : planes) scored[k].copy_(inside[k]);
  const int64_t all_places = translator.summary().baselines.level_mean.size(0);
  const double real_difference = neighbour_difference(real, scored);
  const auto true_ranges = true_plane_ranges(person);
  const auto target = scaled_target(person, planes, data.side);

  const auto score = [&](const std::string& method, const TranslatedPixels& pixels,
                         const torch::Tensor& counts) {
    std::vector<std::vector<double>> measures(planes.size());
    at::parallel_for(0, static_cast<int64_t>(planes.size()), 1, [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        const int64_t k = planes[static_cast<size_t>(n)];
        measures[static_cast<size_t>(n)] =
            slice_measures(shown(pixels.mean[k], data.side), shown(target[k], data.side),
                           shown(inside[k], data.side));
      }
    });
    for (size_t n = 0; n < planes.size(); ++n) {
      std::vector<std::string> cells = {method, person.participant_id, subject.role,
                                        std::to_string(planes[n]),
                                        std::to_string(person.place_of(planes[n], all_places))};
      for (const double value : measures[n]) cells.push_back(cell(value));
      slices_.add_row(std::move(cells));
    }
    const auto errors = made.level > 0 ? count_errors(counts, real, scored)
                                       : CountErrors{std::nan(""), std::nan(""), std::nan("")};
    const auto known =
        count_errors(to_counts(pixels, true_ranges,
                               translator.summary().profile.masked ? inside : torch::Tensor()),
                     real, scored);
    counts_.add_row({method, person.participant_id, cell(errors.error),
                     cell(errors.error_known_mean), cell(known.error), cell(errors.bias),
                     cell(neighbour_difference(counts, scored)), cell(real_difference)});
  };

  score(method_, made.pixels, made.counts);
  for (const auto& name : kBaselineNames) {
    TranslatedPixels pixels{
        predict_volume(translator.summary().baselines, name, person, planes, data.side),
        {},
        planes};
    auto counts = to_counts(pixels, made.ranges,
                            translator.summary().profile.masked ? inside : torch::Tensor());
    even_slices(counts, scored, even_sigma_planes);
    score(name, pixels, counts);
  }
}

std::string TranslateScores::write(const std::filesystem::path& out) const {
  write_table(out / "scores.csv", slices_);
  auto patients = scores_by_patient(slices_);
  patients.columns.insert(patients.columns.end(), kCountColumns.begin(), kCountColumns.end());
  for (auto& row : patients.rows) {
    for (const auto& counts : counts_.rows)
      if (counts[0] == row[0] && counts[1] == row[1])
        row.insert(row.end(), counts.begin() + 2, counts.end());
  }
  write_table(out / "patients.csv", patients);
  const auto summary = summarise_scores(slices_, patients, method_);
  write_file(out / "scores.json", summary.dump(2) + "\n");
  return scores_text(summary);
}

}  // namespace scintigen
