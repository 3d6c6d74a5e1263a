// SPDX-License-Identifier: Apache-2.0
#include "imaging/scaling.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/table.h"

namespace scintigen {
namespace {

constexpr double kLowPercentile = 0.005, kHighPercentile = 0.995;
const std::vector<std::pair<std::string, Scaling>> kNames = {{"none", Scaling::kNone},
                                                             {"volume", Scaling::kVolume},
                                                             {"percentile", Scaling::kPercentile},
                                                             {"suvr", Scaling::kSuvr},
                                                             {"slice", Scaling::kSlice}};

Scaling scaling_of(const std::string& name) {
  std::vector<std::string> names;
  for (const auto& [known, scaling] : kNames) {
    if (known == name) return scaling;
    names.push_back(known);
  }
  const auto near = nearest_word(name, names);
  throw Error("--scaling {}: expected {}{}", name, fmt::join(names, ", "),
              near ? "; did you mean " + *near + "?" : "");
}

/// stored = (value - low) / (high - low) * span + floor
std::array<double, 2> map_range(float* values, int64_t count, double low, double high, double floor,
                                double span) {
  const double slope = (high - low) / span;
  const double intercept = low - floor * slope;
  for (int64_t i = 0; i < count; ++i)
    values[i] = static_cast<float>((static_cast<double>(values[i]) - low) / slope + floor);
  return {slope, intercept};
}

ScalingRecord scale_slices(Volume& volume) {
  ScalingRecord record{Scaling::kSlice, {}};
  const int64_t pixels = volume.voxels.size(1) * volume.voxels.size(2);
  float* slice = volume.voxels.data_ptr<float>();
  for (int64_t k = 0; k < volume.voxels.size(0); ++k, slice += pixels) {
    const auto [low, high] = std::minmax_element(slice, slice + pixels);
    const double least = *low, most = *high;
    if (most > least) {
      record.slope_intercept.push_back(map_range(slice, pixels, least, most, -1, 2));
    } else {
      std::fill(slice, slice + pixels, -1.0F);
      record.slope_intercept.push_back({0, least});
    }
  }
  return record;
}

}  // namespace

const char* scaling_name(Scaling scaling) {
  for (const auto& [name, known] : kNames)
    if (known == scaling) return name.c_str();
  return "none";
}

std::map<std::string, Scaling> parse_scaling(const std::vector<std::string>& texts) {
  std::map<std::string, Scaling> found;
  for (const auto& text : texts) {
    const auto equals = text.find('=');
    const auto modality = equals == std::string::npos ? "" : text.substr(0, equals);
    const auto name = equals == std::string::npos ? text : text.substr(equals + 1);
    require(found.emplace(modality, scaling_of(name)).second, "--scaling: {} stands twice",
            modality.empty() ? "a scaling for all" : modality);
  }
  found.emplace("", Scaling::kNone);
  return found;
}

double percentile_inside(const Volume& volume, const Volume* mask, double p) {
  const auto flat = volume.voxels.flatten();
  auto values = mask ? flat.masked_select(mask->voxels.flatten() > 0) : flat.clone();
  if (values.numel() == 0) values = flat.clone();
  float* const first = values.data_ptr<float>();
  const auto count = values.numel();
  const double place = p * static_cast<double>(count - 1);
  const auto low = static_cast<int64_t>(place);
  std::nth_element(first, first + low, first + count);
  const double below = first[low];
  const double above = low + 1 < count ? *std::min_element(first + low + 1, first + count) : below;
  return below + (place - static_cast<double>(low)) * (above - below);
}

double mean_inside(const Volume& volume, const Volume& mask, const std::string& where) {
  const auto inside = volume.voxels.masked_select(mask.voxels > 0);
  require(inside.numel() > 0, "{}: the reference region holds no voxel", where);
  return inside.mean(torch::kDouble).item<double>();
}

ScalingRecord scale_volume(Volume& volume, Scaling scaling, const Volume* mask,
                           double reference_mean, const std::string& where) {
  float* const values = volume.voxels.data_ptr<float>();
  const int64_t count = volume.voxels.numel();
  if (scaling == Scaling::kNone) return {scaling, {{1, 0}}};
  if (scaling == Scaling::kSlice) return scale_slices(volume);
  if (scaling == Scaling::kSuvr) {
    require(std::isfinite(reference_mean) && reference_mean > 0,
            "{}: the mean of the reference region is {}; expected above 0", where,
            number_text(reference_mean));
    return {scaling, {map_range(values, count, 0, reference_mean, 0, 1)}};
  }
  const bool whole = scaling == Scaling::kVolume;
  const double low =
      whole ? volume.voxels.min().item<double>() : percentile_inside(volume, mask, kLowPercentile);
  const double high =
      whole ? volume.voxels.max().item<double>() : percentile_inside(volume, mask, kHighPercentile);
  require(high > low, "{}: cannot be scaled: every value is {}", where, number_text(low));
  return {scaling, {map_range(values, count, low, high, 0, 1)}};
}

void undo_scaling(Volume& volume, const ScalingRecord& record) {
  const int64_t parts = static_cast<int64_t>(record.slope_intercept.size());
  float* value = volume.voxels.data_ptr<float>();
  const int64_t each = volume.voxels.numel() / std::max<int64_t>(parts, 1);
  for (const auto& [slope, intercept] : record.slope_intercept)
    for (const float* const end = value + each; value < end; ++value)
      *value = static_cast<float>(static_cast<double>(*value) * slope + intercept);
}

}  // namespace scintigen
