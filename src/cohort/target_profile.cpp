// SPDX-License-Identifier: Apache-2.0
#include "cohort/target_profile.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "core/error.h"

namespace scintigen {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr double kRidge = 1e-6;  // keeps a channel that never varies from dividing by zero

using Ranges = std::vector<std::pair<double, double>>;

/// Minimum and maximum of planes, as stored.
Ranges ranges_of(const MappedVolume& volume, const std::vector<int64_t>& planes) {
  const auto count = static_cast<int64_t>(planes.size());
  Ranges ranges(planes.size());
  if (volume.low != volume.high) {
    std::fill(ranges.begin(), ranges.end(), std::pair{volume.low, volume.high});
    return ranges;
  }
  const int64_t depth = volume.voxels.size(0);
  const int64_t pixels = volume.voxels.size(1) * volume.voxels.size(2);
  at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      const int64_t k = planes[static_cast<size_t>(n)];
      if (k < 0 || k >= depth) continue;  // 0, 0: nothing there
      const float* const plane = volume.voxels.data_ptr<float>() + k * pixels;
      const auto [low, high] = std::minmax_element(plane, plane + pixels);
      ranges[static_cast<size_t>(n)] = {*low, *high};
    }
  });
  return ranges;
}

/// The person's plane at each place.
std::vector<int64_t> planes_of(const PairedPerson& person, int64_t places) {
  std::vector<int64_t> planes;
  for (int64_t n = 0; n < places; ++n) planes.push_back(person.plane_at(n, places));
  return planes;
}

/// Natural logarithms of the upper ends; not a number where a plane holds nothing above 0.
std::vector<double> brightness(const Ranges& ranges) {
  std::vector<double> logs;
  for (const auto& [low, high] : ranges)
    logs.push_back(high > low && high > 0 ? std::log(high) : kNone);
  return logs;
}

double mean_of_known(const std::vector<double>& values) {
  double sum = 0;
  int64_t count = 0;
  for (const double value : values)
    if (std::isfinite(value)) {
      sum += value;
      ++count;
    }
  return count > 0 ? sum / static_cast<double>(count) : kNone;
}

void subtract(std::vector<double>& values, double mean) {
  for (double& value : values) value -= mean;
}

/// Mean over rows of each column; columns without a value take the nearest that has one.
std::vector<double> column_means(const std::vector<std::vector<double>>& rows, double otherwise) {
  std::vector<double> means;
  for (size_t n = 0; n < rows.front().size(); ++n) {
    std::vector<double> column;
    for (const auto& row : rows) column.push_back(row[n]);
    means.push_back(mean_of_known(column));
  }
  for (size_t n = 1; n < means.size(); ++n)
    if (!std::isfinite(means[n])) means[n] = means[n - 1];
  for (size_t n = means.size(); n-- > 1;)
    if (!std::isfinite(means[n - 1])) means[n - 1] = means[n];
  for (double& mean : means)
    if (!std::isfinite(mean)) mean = otherwise;
  return means;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t n = values.size();
  return n % 2 == 1 ? values[n / 2] : 0.5 * (values[n / 2 - 1] + values[n / 2]);
}

/// Brightness of a person's input relative to its own mean and to the training people's shape.
std::vector<double> relative_input(const std::vector<double>& logs,
                                   const std::vector<double>& shape) {
  auto relative = logs;
  for (size_t n = 0; n < relative.size(); ++n) relative[n] -= shape[n];
  subtract(relative, mean_of_known(relative));
  for (double& value : relative)
    if (!std::isfinite(value)) value = 0;
  return relative;
}

/// Least squares of `response` on the columns, all of mean 0: (Z'Z + ridge)^-1 Z'e.
std::vector<double> regress(const std::vector<std::vector<double>>& columns,
                            const std::vector<double>& response) {
  const auto count = static_cast<int64_t>(columns.size());
  auto normal = at::zeros({count, count}, at::kDouble), right = at::zeros({count, 1}, at::kDouble);
  for (int64_t a = 0; a < count; ++a) {
    const auto& za = columns[static_cast<size_t>(a)];
    for (int64_t b = 0; b < count; ++b) {
      const auto& zb = columns[static_cast<size_t>(b)];
      double sum = a == b ? kRidge : 0;
      for (size_t n = 0; n < za.size(); ++n) sum += za[n] * zb[n];
      normal[a][b] = sum;
    }
    double sum = 0;
    for (size_t n = 0; n < za.size(); ++n) sum += za[n] * response[n];
    right[a][0] = sum;
  }
  const auto solved = at::linalg_pinv(normal).matmul(right).contiguous();
  return {solved.data_ptr<double>(), solved.data_ptr<double>() + count};
}

/// Whether the target is one value outside the mask, in a few planes.
bool is_masked(const PairedPerson& person) {
  if (person.mask_file.empty()) return false;
  const auto outside = person.brain() <= 0;
  for (const int64_t part : {1, 2, 3}) {
    const int64_t k =
        std::clamp<int64_t>(person.first + part * person.count / 4, 0, person.grid.nk - 1);
    const auto values = person.target.voxels[k].masked_select(outside[k]);
    if (values.numel() > 0 && (values != 0).any().item<bool>()) return false;
  }
  return true;
}

/// Mean of the people's quantiles of pixels in [-1,1] in the brain; empty where somebody has none.
std::vector<double> mean_quantiles(const std::vector<PairedPerson>& people) {
  std::vector<double> mean(kQuantiles, 0);
  for (const auto& person : people) {
    const auto& target = person.target;
    const auto inside = target.voxels.masked_select(person.brain() > 0);
    if (inside.numel() == 0 || !(target.high > target.low)) return {};
    const auto values = quantiles_of(inside);
    for (size_t q = 0; q < kQuantiles; ++q)
      mean[q] += ((values[q] - target.low) / (target.high - target.low) * 2 - 1) /
                 static_cast<double>(people.size());
  }
  return mean;
}

std::pair<double, double> in_unit(const PairedPerson& person, int64_t k,
                                  const std::pair<double, double>& stored) {
  const auto& pairs = person.target_to_unit;
  const auto& [slope, intercept] =
      pairs[pairs.size() == 1 ? 0
                              : static_cast<size_t>(std::clamp<int64_t>(
                                    k, 0, static_cast<int64_t>(pairs.size()) - 1))];
  return {stored.first * slope + intercept, stored.second * slope + intercept};
}

}  // namespace

std::vector<double> quantiles_of(const torch::Tensor& values) {
  require(values.numel() > 0, "quantiles of no value");
  const auto sorted = std::get<0>(at::sort(values.flatten().to(torch::kFloat))).contiguous();
  const float* const at = sorted.data_ptr<float>();
  const auto last = static_cast<double>(sorted.numel() - 1);
  std::vector<double> quantiles;
  for (size_t q = 0; q < kQuantiles; ++q) {
    const double rank = last * static_cast<double>(q) / static_cast<double>(kQuantiles - 1);
    const auto below = static_cast<int64_t>(rank);
    const double part = rank - static_cast<double>(below);
    const double low = at[below], high = at[std::min(below + 1, sorted.numel() - 1)];
    quantiles.push_back(low + part * (high - low));
  }
  return quantiles;
}

TargetProfile fit_target_profile(const std::vector<PairedPerson>& people,
                                 const PairedSettings& settings) {
  TargetProfile profile;
  profile.by_slice = settings.scale == "slice";
  require(!people.empty(), "target profile: nobody to learn from");
  const int64_t places = places_of(people);
  profile.unit = people.front().target_unit;
  profile.masked = true;
  const size_t channels = settings.inputs.size();
  std::vector<std::vector<double>> shapes, floors;
  std::vector<std::vector<std::vector<double>>> inputs(channels);
  std::vector<double> levels;
  for (const auto& person : people) {
    profile.masked = profile.masked && is_masked(person);
    if (person.target_unit != profile.unit) profile.unit.clear();
    const auto planes = planes_of(person, places);
    auto ranges = ranges_of(person.target, planes);
    std::vector<double> floor;
    for (size_t n = 0; n < ranges.size(); ++n) {
      ranges[n] = in_unit(person, planes[n], ranges[n]);
      floor.push_back(ranges[n].second > 0 ? ranges[n].first / ranges[n].second : kNone);
    }
    auto logs = brightness(ranges);
    const double level = mean_of_known(logs);
    if (!std::isfinite(level)) continue;
    levels.push_back(level);
    subtract(logs, level);
    shapes.push_back(logs);
    floors.push_back(floor);
    for (size_t c = 0; c < channels; ++c) {
      auto input = brightness(ranges_of(person.inputs[c], planes));
      subtract(input, mean_of_known(input));
      inputs[c].push_back(input);
    }
  }
  if (levels.empty()) return profile;
  profile.level = std::exp(median(levels));
  const double mean = mean_of_known(levels);
  for (const double level : levels) profile.level_sd_ln += (level - mean) * (level - mean);
  profile.level_sd_ln =
      std::sqrt(profile.level_sd_ln / std::max<double>(1, static_cast<double>(levels.size()) - 1));
  auto shape = column_means(shapes, 0);
  subtract(shape, mean_of_known(shape));
  profile.floor = column_means(floors, 0);
  std::vector<std::vector<double>> columns(channels);
  std::vector<double> response;
  for (size_t c = 0; c < channels; ++c) profile.input_shape.push_back(column_means(inputs[c], 0));
  for (size_t p = 0; p < shapes.size(); ++p) {
    for (size_t n = 0; n < shape.size(); ++n)
      response.push_back(std::isfinite(shapes[p][n]) ? shapes[p][n] - shape[n] : 0);
    for (size_t c = 0; c < channels; ++c) {
      const auto relative = relative_input(inputs[c][p], profile.input_shape[c]);
      columns[c].insert(columns[c].end(), relative.begin(), relative.end());
    }
  }
  profile.gain = regress(columns, response);
  if (!profile.by_slice) profile.quantiles = mean_quantiles(people);
  for (const double value : shape) profile.shape.push_back(std::exp(value));
  return profile;
}

std::vector<PlaneRange> plane_ranges(const TargetProfile& profile, const PairedPerson& person,
                                     const std::string& rule, double level) {
  require(profile.known(),
          "this run's targets were not above 0, so there is no way back to their unit; give "
          "--counts none");
  const auto places = static_cast<int64_t>(profile.shape.size());
  std::vector<double> factors(profile.shape.begin(), profile.shape.end());
  if (rule == "input" && profile.by_slice)
    for (size_t c = 0; c < profile.gain.size(); ++c) {
      const auto relative =
          relative_input(brightness(ranges_of(person.inputs[c], planes_of(person, places))),
                         profile.input_shape[c]);
      for (size_t n = 0; n < factors.size(); ++n)
        factors[n] *= std::exp(profile.gain[c] * relative[n]);
    }
  std::vector<PlaneRange> ranges;
  for (int64_t k = 0; k < person.grid.nk; ++k) {
    const auto n = static_cast<size_t>(person.place_of(k, places));
    const double high = (level > 0 ? level : profile.level) * factors[n];
    ranges.push_back({high * profile.floor[n], high});
  }
  return ranges;
}

std::vector<PlaneRange> true_plane_ranges(const PairedPerson& person) {
  std::vector<int64_t> planes(static_cast<size_t>(person.grid.nk));
  std::iota(planes.begin(), planes.end(), 0);
  const auto stored = ranges_of(person.target, planes);
  std::vector<PlaneRange> ranges;
  for (int64_t k = 0; k < person.grid.nk; ++k) {
    const auto [low, high] = in_unit(person, k, stored[static_cast<size_t>(k)]);
    ranges.push_back({low, high});
  }
  return ranges;
}

nlohmann::ordered_json to_json(const TargetProfile& profile) {
  nlohmann::ordered_json json = {{"unit", profile.unit},
                                 {"by_slice", profile.by_slice},
                                 {"masked", profile.masked},
                                 {"level", profile.level},
                                 {"level_sd_ln", profile.level_sd_ln},
                                 {"shape", profile.shape},
                                 {"floor", profile.floor},
                                 {"gain", profile.gain},
                                 {"input_shape", profile.input_shape}};
  if (!profile.quantiles.empty()) json["quantiles"] = profile.quantiles;
  return json;
}

TargetProfile target_profile_from_json(const nlohmann::ordered_json& json, int64_t places,
                                       size_t channels, const std::string& where) {
  TargetProfile profile;
  try {
    json.at("unit").get_to(profile.unit);
    json.at("by_slice").get_to(profile.by_slice);
    json.at("masked").get_to(profile.masked);
    json.at("level").get_to(profile.level);
    json.at("level_sd_ln").get_to(profile.level_sd_ln);
    json.at("shape").get_to(profile.shape);
    json.at("floor").get_to(profile.floor);
    json.at("gain").get_to(profile.gain);
    json.at("input_shape").get_to(profile.input_shape);
    if (json.contains("quantiles")) json.at("quantiles").get_to(profile.quantiles);
  } catch (const nlohmann::json::exception&) {
    throw Error("{}: the profile of the targets is incomplete; the file is damaged", where);
  }
  bool rises = profile.quantiles.empty() || profile.quantiles.size() == kQuantiles;
  for (size_t q = 1; q < profile.quantiles.size(); ++q)
    rises = rises && profile.quantiles[q] >= profile.quantiles[q - 1];
  require(rises, "{}: the quantiles of the targets are not {} rising numbers", where, kQuantiles);
  if (!profile.known()) return profile;
  const auto count = static_cast<size_t>(places);
  bool fits = profile.shape.size() == count && profile.floor.size() == count &&
              profile.gain.size() == channels && profile.input_shape.size() == channels;
  for (const auto& shape : profile.input_shape) fits = fits && shape.size() == count;
  require(fits, "{}: the profile of the targets is not of {} slices and {} channels", where, places,
          channels);
  return profile;
}

}  // namespace scintigen
