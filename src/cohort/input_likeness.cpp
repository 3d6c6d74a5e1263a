// SPDX-License-Identifier: Apache-2.0
#include "cohort/input_likeness.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/error.h"

namespace scintigen {
namespace {

constexpr double kBright = 0.15;        // of high: above the background, below grey matter
constexpr double kHistogramTop = 1.25;  // of high
constexpr size_t kBins = 20;
constexpr double kStandardDeviations = 5;
constexpr int64_t kSample = 200000;  // voxels that percentiles are taken from

// Differences that nobody need hear of, however alike the training people are.
constexpr double kLikenessTolerance = 0.04, kPatternTolerance = 0.15, kHistogramTolerance = 0.04,
                 kFloorTolerance = 0.1, kHighTolerance = 1.1 /* ln 3 */, kBrightTolerance = 0.4,
                 kExtentTolerance = 0.2, kOrientationAdvantage = 0.03, kSpacingTolerance = 0.05;

double percentile(std::vector<float>& values, double part) {
  if (values.empty()) return 0;
  const auto place = static_cast<int64_t>(part * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + place, values.end());
  return values[static_cast<size_t>(place)];
}

double correlation(const torch::Tensor& a, const torch::Tensor& b) {
  const auto x = a.to(torch::kDouble) - a.to(torch::kDouble).mean();
  const auto y = b.to(torch::kDouble) - b.to(torch::kDouble).mean();
  const double norms = (x.norm() * y.norm()).item<double>();
  return norms > 0 ? (x * y).sum().item<double>() / norms : 0;
}

/// Correlation where the mean person has something: how grey relates to white, not where the head
/// ends.
double pattern_correlation(const torch::Tensor& coarse, const torch::Tensor& mean) {
  const auto inside = mean > 0.3 * mean.max();
  return correlation(coarse.masked_select(inside), mean.masked_select(inside));
}

/// Mean difference of two cumulative histograms: how far, in units of high, a value must go.
double histogram_distance(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (size_t bin = 0; bin < a.size(); ++bin) sum += std::abs(a[bin] - b[bin]);
  return sum * kHistogramTop / static_cast<double>(a.size());
}

TrainingMeasure measure(const std::vector<double>& values) {
  TrainingMeasure of;
  for (const double value : values) of.mean += value / static_cast<double>(values.size());
  for (const double value : values) of.sd += (value - of.mean) * (value - of.mean);
  of.sd = std::sqrt(of.sd / std::max<double>(1, static_cast<double>(values.size()) - 1));
  return of;
}

/// How far from the mean a person like the training people may lie.
double limit(const TrainingMeasure& of, int64_t people, double tolerance) {
  const auto n = static_cast<double>(people);
  return std::max(kStandardDeviations * (1 + 2 / n) * of.sd, tolerance * (1 + 2 / n));
}

/// The coarse cube with its axes exchanged and turned: a head stored or described wrongly.
struct Turn {
  std::array<int64_t, 3> axes;
  std::vector<int64_t> flips;
  std::string words;
};

std::vector<Turn> turns() {
  const std::array<const char*, 3> flipped = {"upside down", "front to back", "left to right"};
  std::vector<Turn> all;
  std::array<int64_t, 3> axes = {0, 1, 2};
  do {
    for (int bits = 0; bits < 8; ++bits) {
      Turn turn{axes, {}, ""};
      for (int64_t axis = 0; axis < 3; ++axis)
        if (bits >> axis & 1) turn.flips.push_back(axis);
      const bool exchanged = axes != std::array<int64_t, 3>{0, 1, 2};
      if (!exchanged && (bits & 3) == 0) continue;  // as it is, or left and right: not to be seen
      for (const int64_t axis : turn.flips)
        if (exchanged || axis < 2)
          turn.words +=
              (turn.words.empty() ? "" : " and ") + std::string(flipped[static_cast<size_t>(axis)]);
      if (exchanged)
        turn.words = "with its axes exchanged" + (turn.words.empty() ? "" : " and " + turn.words);
      all.push_back(std::move(turn));
    }
  } while (std::next_permutation(axes.begin(), axes.end()));
  return all;
}

/// The turn that makes `coarse` most like the mean, if it does so clearly.
std::optional<std::string> better_turned(const torch::Tensor& coarse, const torch::Tensor& mean,
                                         double as_it_is, double& best) {
  std::optional<std::string> words;
  best = as_it_is + kOrientationAdvantage;
  for (const auto& turn : turns()) {
    const auto turned = coarse.permute(torch::IntArrayRef(turn.axes)).flip(turn.flips);
    const double found = correlation(turned, mean);
    if (found > best) {
      best = found;
      words = turn.words;
    }
  }
  return words;
}

}  // namespace

InputPicture picture_of(const torch::Tensor& voxels, const Affine& voxel_to_world) {
  InputPicture picture;
  picture.spacing_mm = spacing_mm(voxel_to_world);
  const auto cells = kCoarseSide * kCoarseSide * kCoarseSide;
  picture.coarse = torch::zeros({kCoarseSide, kCoarseSide, kCoarseSide}, torch::kFloat);
  picture.histogram.assign(kBins, 0);
  const int64_t nk = voxels.size(0), nj = voxels.size(1), ni = voxels.size(2);
  const float* const values = voxels.data_ptr<float>();
  const int64_t step =
      std::max<int64_t>(1, voxels.numel() / kSample) | 1;  // odd: meets all columns
  std::vector<float> all, not_zero;
  for (int64_t v = 0; v < voxels.numel(); v += step) {
    all.push_back(values[v]);
    if (values[v] != 0) not_zero.push_back(values[v]);
  }
  picture.high = percentile(not_zero, 0.99);
  if (!(picture.high > 0) || !std::isfinite(picture.high)) {
    picture.high = 0;
    return picture;
  }
  picture.floor = percentile(all, 0.01) / picture.high;
  const auto threshold = static_cast<float>(kBright * picture.high);
  double count = 0;
  std::array<double, 3> sum{}, square{};
  for (int64_t k = 0; k < nk; ++k)
    for (int64_t j = 0; j < nj; ++j) {
      const float* const row = values + (k * nj + j) * ni;
      double here = 0, x = 0, xx = 0;
      for (int64_t i = 0; i < ni; ++i)
        if (row[i] > threshold) {
          here += 1;
          x += static_cast<double>(i);
          xx += static_cast<double>(i) * static_cast<double>(i);
          const auto bin = static_cast<size_t>(
              std::clamp(static_cast<double>(row[i]) / picture.high / kHistogramTop * kBins, 0.0,
                         kBins - 1.0));
          picture.histogram[bin] += 1;
        }
      count += here;
      const auto dj = static_cast<double>(j), dk = static_cast<double>(k);
      sum = {sum[0] + x, sum[1] + here * dj, sum[2] + here * dk};
      square = {square[0] + xx, square[1] + here * dj * dj, square[2] + here * dk * dk};
    }
  if (count == 0) return picture;
  std::array<double, 3> middle{};
  for (size_t axis = 0; axis < 3; ++axis) {
    middle[axis] = sum[axis] / count;
    const double variance = square[axis] / count - middle[axis] * middle[axis];
    picture.extent_mm[axis] = std::sqrt(std::max(variance, 0.0)) * picture.spacing_mm[axis];
  }
  picture.bright_ml =
      count * picture.spacing_mm[0] * picture.spacing_mm[1] * picture.spacing_mm[2] / 1000;
  for (size_t bin = 0; bin < kBins; ++bin)
    picture.histogram[bin] =
        picture.histogram[bin] / count + (bin > 0 ? picture.histogram[bin - 1] : 0);

  const auto cell_of = [&](size_t axis, int64_t index) {
    const double mm = (static_cast<double>(index) - middle[axis]) * picture.spacing_mm[axis];
    return static_cast<int64_t>(std::floor(mm / kCoarseCell_mm + 0.5 * kCoarseSide));
  };
  std::vector<double> sums(static_cast<size_t>(cells), 0);
  std::vector<int64_t> columns;
  for (int64_t i = 0; i < ni; ++i) columns.push_back(cell_of(0, i));
  const double top = kHistogramTop * picture.high;
  for (int64_t k = 0; k < nk; ++k) {
    const int64_t ck = cell_of(2, k);
    if (ck < 0 || ck >= kCoarseSide) continue;
    for (int64_t j = 0; j < nj; ++j) {
      const int64_t cj = cell_of(1, j);
      if (cj < 0 || cj >= kCoarseSide) continue;
      const float* const row = values + (k * nj + j) * ni;
      double* const to = sums.data() + (ck * kCoarseSide + cj) * kCoarseSide;
      for (int64_t i = 0; i < ni; ++i) {
        const int64_t ci = columns[static_cast<size_t>(i)];
        if (ci >= 0 && ci < kCoarseSide)
          to[ci] += std::clamp<double>(row[i], 0, top) / picture.high;
      }
    }
  }
  const double in_a_cell = kCoarseCell_mm * kCoarseCell_mm * kCoarseCell_mm /
                           (picture.spacing_mm[0] * picture.spacing_mm[1] * picture.spacing_mm[2]);
  float* const coarse = picture.coarse.data_ptr<float>();
  for (int64_t cell = 0; cell < cells; ++cell)
    coarse[cell] = static_cast<float>(sums[static_cast<size_t>(cell)] / in_a_cell);
  return picture;
}

InputLikeness learn_likeness(const std::string& modality, const std::vector<InputPicture>& people) {
  require(!people.empty(), "likeness of {}: nobody to learn from", modality);
  InputLikeness of;
  of.modality = modality;
  of.people = static_cast<int64_t>(people.size());
  of.spacing_mm = people.front().spacing_mm;
  of.coarse = torch::zeros_like(people.front().coarse);
  of.histogram.assign(kBins, 0);
  const auto count = static_cast<double>(people.size());
  for (const auto& person : people) {
    of.coarse += person.coarse / count;
    for (size_t bin = 0; bin < kBins; ++bin) of.histogram[bin] += person.histogram[bin] / count;
  }
  std::vector<double> likeness, pattern, distance, high, floor, bright, extent[3];
  for (const auto& person : people) {
    auto others = of.coarse;
    auto histogram = of.histogram;
    if (people.size() > 1) {
      others = (of.coarse * count - person.coarse) / (count - 1);
      for (size_t bin = 0; bin < kBins; ++bin)
        histogram[bin] = (histogram[bin] * count - person.histogram[bin]) / (count - 1);
    }
    likeness.push_back(correlation(person.coarse, others));
    pattern.push_back(pattern_correlation(person.coarse, others));
    distance.push_back(histogram_distance(person.histogram, histogram));
    high.push_back(std::log(std::max(person.high, 1e-30)));
    floor.push_back(person.floor);
    bright.push_back(std::log(std::max(person.bright_ml, 1e-3)));
    for (size_t axis = 0; axis < 3; ++axis)
      extent[axis].push_back(std::log(std::max(person.extent_mm[axis], 1e-3)));
  }
  of.likeness = measure(likeness);
  of.pattern = measure(pattern);
  of.histogram_distance = measure(distance);
  of.high = measure(high);
  of.floor = measure(floor);
  of.bright = measure(bright);
  for (size_t axis = 0; axis < 3; ++axis) of.extent[axis] = measure(extent[axis]);
  return of;
}

std::vector<std::string> differences(const InputLikeness& trained, const InputPicture& picture,
                                     const std::string& name) {
  std::vector<std::string> lines;
  const auto add = [&](const std::string& what) {
    lines.push_back(fmt::format("{}: does not look like the {} this run was trained on: {}", name,
                                trained.modality, what));
  };
  for (size_t axis = 0; axis < 3; ++axis)
    if (std::abs(picture.spacing_mm[axis] / trained.spacing_mm[axis] - 1) > kSpacingTolerance) {
      add(
          fmt::format("voxels of {:.3g} x {:.3g} x {:.3g} mm; trained on {:.3g} x {:.3g} x {:.3g}; "
                      "prepare it with the run's --spacing-mm",
                      picture.spacing_mm[0], picture.spacing_mm[1], picture.spacing_mm[2],
                      trained.spacing_mm[0], trained.spacing_mm[1], trained.spacing_mm[2]));
      break;
    }
  if (!(picture.high > 0) || !(picture.bright_ml > 0)) {
    add("it holds nothing brighter than 0");
    return lines;
  }
  const auto n = trained.people;
  const auto from_mean = [](const TrainingMeasure& of, double value) {
    return std::abs(value - of.mean);
  };
  const double as_it_is = correlation(picture.coarse, trained.coarse);
  double best = 0;
  if (const auto turned = better_turned(picture.coarse, trained.coarse, as_it_is, best))
    add(
        fmt::format("{} it is more alike (correlation {:.3f} instead of {:.3f}); check its "
                    "orientation",
                    *turned, best, as_it_is));
  else if (trained.likeness.mean - as_it_is > limit(trained.likeness, n, kLikenessTolerance))
    add(
        fmt::format("coarse picture correlates {:.3f} with the training mean; trained on {:.3f}; "
                    "is it masked and placed as the training scans were?",
                    as_it_is, trained.likeness.mean));
  const double pattern = pattern_correlation(picture.coarse, trained.coarse);
  const double distance = histogram_distance(picture.histogram, trained.histogram);
  const bool other_pattern =
      trained.pattern.mean - pattern > limit(trained.pattern, n, kPatternTolerance);
  const bool other_histogram = distance - trained.histogram_distance.mean >
                               limit(trained.histogram_distance, n, kHistogramTolerance);
  if (other_pattern || other_histogram)
    add(fmt::format(
        "intensities inside are distributed otherwise (pattern {:.3f}, trained on {:.3f}; "
        "histogram {:.3f} apart, trained on {:.3f}); is it another modality?",
        pattern, trained.pattern.mean, distance, trained.histogram_distance.mean));
  if (from_mean(trained.high, std::log(picture.high)) > limit(trained.high, n, kHighTolerance))
    add(
        fmt::format("its bright voxels are at {:.4g}; trained on {:.4g}; is it in another unit or "
                    "scaled otherwise?",
                    picture.high, std::exp(trained.high.mean)));
  if (from_mean(trained.floor, picture.floor) > limit(trained.floor, n, kFloorTolerance))
    add(fmt::format("its background is at {:.2f} of its bright voxels; trained on {:.2f}",
                    picture.floor, trained.floor.mean));
  const char* const along[] = {"left to right", "back to front", "foot to head"};
  bool cut = false;
  for (size_t axis = 0; axis < 3; ++axis) {
    const double extent = std::max(picture.extent_mm[axis], 1e-3);
    if (from_mean(trained.extent[axis], std::log(extent)) >
        limit(trained.extent[axis], n, kExtentTolerance)) {
      add(fmt::format(
          "from {} it spreads over {:.0f} mm (SD); trained on {:.0f} mm; is part of the "
          "head missing, or the neck or skull still there?",
          along[axis], extent, std::exp(trained.extent[axis].mean)));
      cut = true;
    }
  }
  if (!cut && from_mean(trained.bright, std::log(picture.bright_ml)) >
                  limit(trained.bright, n, kBrightTolerance))
    add(fmt::format("{:.0f} ml of it are bright; trained on {:.0f} ml", picture.bright_ml,
                    std::exp(trained.bright.mean)));
  return lines;
}

namespace {

nlohmann::ordered_json pair_of(const TrainingMeasure& of) { return {of.mean, of.sd}; }

TrainingMeasure measure_from(const nlohmann::ordered_json& json) {
  return {json.at(0).get<double>(), json.at(1).get<double>()};
}

}  // namespace

nlohmann::ordered_json to_json(const InputLikeness& of) {
  return {{"modality", of.modality},
          {"people", of.people},
          {"spacing_mm", of.spacing_mm},
          {"histogram", of.histogram},
          {"likeness", pair_of(of.likeness)},
          {"pattern", pair_of(of.pattern)},
          {"histogram_distance", pair_of(of.histogram_distance)},
          {"high_ln", pair_of(of.high)},
          {"floor", pair_of(of.floor)},
          {"bright_ml_ln", pair_of(of.bright)},
          {"extent_mm_ln", {pair_of(of.extent[0]), pair_of(of.extent[1]), pair_of(of.extent[2])}}};
}

InputLikeness input_likeness_from_json(const nlohmann::ordered_json& json, torch::Tensor coarse,
                                       const std::string& where) {
  InputLikeness of;
  try {
    json.at("modality").get_to(of.modality);
    json.at("people").get_to(of.people);
    json.at("spacing_mm").get_to(of.spacing_mm);
    json.at("histogram").get_to(of.histogram);
    of.likeness = measure_from(json.at("likeness"));
    of.pattern = measure_from(json.at("pattern"));
    of.histogram_distance = measure_from(json.at("histogram_distance"));
    of.high = measure_from(json.at("high_ln"));
    of.floor = measure_from(json.at("floor"));
    of.bright = measure_from(json.at("bright_ml_ln"));
    for (size_t axis = 0; axis < 3; ++axis)
      of.extent[axis] = measure_from(json.at("extent_mm_ln").at(axis));
  } catch (const nlohmann::json::exception&) {
    throw Error("{}: what the training inputs looked like is incomplete; the file is damaged",
                where);
  }
  of.coarse = coarse.to(torch::kFloat).contiguous();
  require(of.people >= 1 && of.histogram.size() == kBins &&
              of.coarse.sizes() == torch::IntArrayRef({kCoarseSide, kCoarseSide, kCoarseSide}),
          "{}: what the training inputs looked like is of another size", where);
  return of;
}

}  // namespace scintigen
