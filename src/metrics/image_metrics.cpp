// SPDX-License-Identifier: Apache-2.0
#include "metrics/image_metrics.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "metrics/image_errors.h"
#include "metrics/structural_similarity.h"

namespace scintigen {
namespace {

using nlohmann::ordered_json;

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr const char* kIdentical = "inf: the images are identical";
constexpr const char* kNoSlices = "no slice holds anything but one value";

/// "mean over 190 of 192 slices": what a mean by slice was taken over.
ordered_json slices_of(const ImagePair& pair, int64_t averaged) {
  return {{"average", "mean over slices along the third axis"},
          {"slices", averaged},
          {"slices_left_out", pair.depth() - averaged}};
}

void add_all(ordered_json& to, const ordered_json& from) {
  for (const auto& [key, value] : from.items()) to[key] = value;
}

void add_error_rows(const ImagePair& pair, const DataRange& range, std::vector<MetricRow>& rows) {
  const auto whole = image_errors(pair, range);
  ImageErrors none;
  for (double* value : {&none.rmse, &none.mae, &none.nrmse_euclidean, &none.nrmse_mean,
                        &none.nrmse_min_max, &none.psnr, &none.psnr_by_slice})
    *value = kNone;
  const auto in_mask = pair.masked() ? image_errors_in_mask(pair, range) : none;
  const ordered_json voxels = {{"unit", "the images' own"}, {"voxels", whole.voxels}};
  const auto add = [&](const char* key, double ImageErrors::*value, ordered_json parameters,
                       const std::string& note) {
    MetricRow row{key, whole.*value, in_mask.*value, std::move(parameters), "", ""};
    if (std::isnan(row.whole)) row.note = note;
    if (pair.masked() && std::isnan(row.in_mask)) row.note_in_mask = note;
    rows.push_back(std::move(row));
  };
  add("rmse", &ImageErrors::rmse, voxels, "");
  add("mae", &ImageErrors::mae, voxels, "");
  const auto divided = [&](const char* normalisation) {
    return ordered_json{{"normalisation", normalisation}};
  };
  add("nrmse", &ImageErrors::nrmse_euclidean, divided("euclidean: RMSE / root mean square of A"),
      "A is 0 throughout");
  add("nrmse_mean", &ImageErrors::nrmse_mean, divided("mean: RMSE / mean of A"),
      "the mean of A is 0");
  add("nrmse_min_max", &ImageErrors::nrmse_min_max, divided("min-max: RMSE / (max A - min A)"),
      "A holds one value");
  add("psnr", &ImageErrors::psnr, {{"data_range", range.width}, {"unit", "dB"}}, "");
  ordered_json by_slice = {{"data_range", range.width}, {"unit", "dB"}};
  add_all(by_slice, slices_of(pair, whole.slices));
  by_slice["slices_identical"] = whole.slices_identical;
  add("psnr_by_slice", &ImageErrors::psnr_by_slice, by_slice, "no slice differs in the two images");
}

ordered_json window_parameters(SimilarityWindow window, const DataRange& range) {
  ordered_json parameters;
  if (window == SimilarityWindow::kGaussian)
    parameters = {
        {"window", "gaussian"}, {"taps", 11}, {"sigma", 1.5}, {"covariance", "population"}};
  else
    parameters = {{"window", "uniform"}, {"taps", 7}, {"covariance", "sample N/(N-1)"}};
  add_all(parameters, {{"k1", 0.01},
                       {"k2", 0.03},
                       {"data_range", range.width},
                       {"border", "windows inside the image"}});
  return parameters;
}

void place(MetricRow& row, const Similarity& found, const ImagePair& pair,
           SimilarityExtent extent) {
  row.whole = found.value;
  row.in_mask = pair.masked() ? found.in_mask : kNone;
  if (extent == SimilarityExtent::kSlice)
    add_all(row.parameters, slices_of(pair, found.slices));
  else
    add_all(row.parameters, {{"average", "mean over the volume"}, {"windows", found.windows}});
  if (std::isnan(row.whole)) row.note = kNoSlices;
}

/// Fills the row with what `measure` gives; an image too small leaves it without value, with a
/// note.
template <class Measure>
MetricRow similarity_row(const char* key, const ImagePair& pair, SimilarityExtent extent,
                         ordered_json parameters, const Measure& measure) {
  MetricRow row{key, kNone, kNone, std::move(parameters), "", ""};
  try {
    place(row, measure(), pair, extent);
  } catch (const Error& error) {
    row.note = error.what();
    if (pair.masked()) row.note_in_mask = row.note;
  }
  return row;
}

void add_similarity_rows(const ImagePair& pair, const DataRange& range,
                         std::vector<MetricRow>& rows) {
  Similarity gaussian_by_slice, gaussian_3d;  // also the finest scale of multi-scale SSIM
  const auto add = [&](const char* key, SimilarityWindow window, SimilarityExtent extent) {
    auto row = similarity_row(key, pair, extent, window_parameters(window, range), [&] {
      const auto found = structural_similarity(pair, range, window, extent);
      if (window == SimilarityWindow::kGaussian)
        (extent == SimilarityExtent::kSlice ? gaussian_by_slice : gaussian_3d) = found;
      return found;
    });
    if (pair.masked() && std::isnan(row.in_mask) && row.note_in_mask.empty())
      row.note_in_mask = "no window has its centre in the mask";
    if (pair.masked()) row.parameters["in_mask"] = "windows whose centre is in the mask";
    rows.push_back(std::move(row));
  };
  add("ssim_gaussian", SimilarityWindow::kGaussian, SimilarityExtent::kSlice);
  add("ssim_gaussian_3d", SimilarityWindow::kGaussian, SimilarityExtent::kVolume);
  add("ssim_uniform", SimilarityWindow::kUniform, SimilarityExtent::kSlice);
  add("ssim_uniform_3d", SimilarityWindow::kUniform, SimilarityExtent::kVolume);
  for (const auto extent : {SimilarityExtent::kSlice, SimilarityExtent::kVolume}) {
    const bool by_slice = extent == SimilarityExtent::kSlice;
    auto parameters = window_parameters(SimilarityWindow::kGaussian, range);
    parameters["scale_weights"] = {0.0448, 0.2856, 0.3001, 0.2363, 0.1333};
    auto row = similarity_row(by_slice ? "ms_ssim" : "ms_ssim_3d", pair, extent, parameters, [&] {
      return multi_scale_similarity(pair, range, extent,
                                    by_slice ? gaussian_by_slice : gaussian_3d);
    });
    if (pair.masked() && row.note_in_mask.empty())
      row.note_in_mask = "whole image only: a mask has no one meaning on coarse scales";
    rows.push_back(std::move(row));
  }
}

}  // namespace

std::vector<MetricRow> image_metrics(const ImagePair& pair, const DataRange& range) {
  check_range(range);
  std::vector<MetricRow> rows;
  add_error_rows(pair, range, rows);
  add_similarity_rows(pair, range, rows);
  for (auto& row : rows) {
    if (std::isinf(row.whole)) row.note = kIdentical;
    if (std::isinf(row.in_mask)) row.note_in_mask = kIdentical;
  }
  return rows;
}

MetricRow perceptual_metric(const ImagePair& pair, const DataRange& range,
                            const PerceptualDistance& distance,
                            const std::function<void()>& slice_done) {
  check_range(range);
  MetricRow row{"lpips", kNone, kNone, {}, "", ""};
  double sum = 0;
  int64_t slices = 0;
  for (int64_t k = 0; k < pair.depth(); ++k) {
    if (!pair.counted[static_cast<size_t>(k)]) continue;
    const auto scaled = [&](const torch::Tensor& image) {
      return (image.narrow(0, k, 1).to(torch::kDouble) - range.low) * (2 / range.width) - 1;
    };
    sum += distance(scaled(pair.a), scaled(pair.b)).item<double>();
    ++slices;
    if (slice_done) slice_done();
  }
  if (slices > 0)
    row.whole = sum / static_cast<double>(slices);
  else
    row.note = kNoSlices;
  row.parameters = {{"version", "0.1"}, {"data_range", range.width}, {"range_low", range.low}};
  row.parameters["input"] = "range to [-1,1], one channel repeated to three";
  add_all(row.parameters, slices_of(pair, slices));
  if (pair.masked()) row.note_in_mask = "whole image only";
  return row;
}

namespace {

ordered_json number_or_null(double value) {
  return std::isfinite(value) ? ordered_json(value) : ordered_json(nullptr);
}

std::string value_text(double value) {
  if (std::isnan(value)) return "-";
  return std::isinf(value) ? "inf" : fmt::format("{:.7g}", value);
}

std::string parameters_text(const ordered_json& parameters) {
  std::string text;
  for (const auto& [name, value] : parameters.items()) {
    if (!text.empty()) text += ", ";
    text += name + " " + (value.is_string() ? value.get<std::string>() : value.dump());
  }
  return text;
}

}  // namespace

ordered_json json_of(const std::vector<MetricRow>& rows, const ImagePair& pair) {
  ordered_json json, mask, parameters = ordered_json::object(), notes = ordered_json::object(),
                           mask_notes = ordered_json::object();
  mask["voxels"] = pair.mask_voxels;
  for (const auto& row : rows) {
    json[row.key] = number_or_null(row.whole);
    mask[row.key] = number_or_null(row.in_mask);
    parameters[row.key] = row.parameters;
    if (!row.note.empty()) notes[row.key] = row.note;
    if (!row.note_in_mask.empty()) mask_notes[row.key] = row.note_in_mask;
  }
  mask["notes"] = mask_notes;
  if (pair.masked()) json["mask"] = mask;
  json["parameters"] = parameters;
  json["notes"] = notes;
  return json;
}

std::string text_of(const std::vector<MetricRow>& rows, const ImagePair& pair) {
  std::string text = fmt::format("{:<17} {:>14} {:>14}  {}\n", "metric", "whole image",
                                 pair.masked() ? "in mask" : "", "parameters");
  for (const auto& row : rows)
    text +=
        fmt::format("{:<17} {:>14} {:>14}  {}\n", row.key, value_text(row.whole),
                    pair.masked() ? value_text(row.in_mask) : "", parameters_text(row.parameters));
  for (const auto& row : rows) {
    if (!row.note.empty()) text += fmt::format("{}: {}\n", row.key, row.note);
    if (!row.note_in_mask.empty() && row.note_in_mask != row.note)
      text += fmt::format("{} in mask: {}\n", row.key, row.note_in_mask);
  }
  return text;
}

}  // namespace scintigen
