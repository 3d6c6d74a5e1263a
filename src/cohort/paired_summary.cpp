// SPDX-License-Identifier: Apache-2.0
#include "cohort/paired_summary.h"

#include <ATen/ATen.h>

#include <nlohmann/json.hpp>

#include "core/error.h"

namespace scintigen {
namespace {

const std::string kLevelMean = "summary.level_mean", kInputMean = "summary.input_mean";

std::vector<InputLikeness> likenesses(const std::vector<PairedPerson>& people,
                                      const std::vector<std::string>& modalities) {
  std::vector<InputLikeness> learned;
  for (size_t c = 0; c < modalities.size(); ++c) {
    std::vector<InputPicture> pictures;
    for (const auto& person : people)
      pictures.push_back(picture_of(person.inputs[c].voxels, person.grid.voxel_to_world));
    learned.push_back(learn_likeness(modalities[c], pictures));
  }
  return learned;
}

}  // namespace

std::map<std::string, torch::Tensor> PairedSummary::tensors() const {
  std::vector<torch::Tensor> coarse;
  for (const auto& input : inputs) coarse.push_back(input.coarse);
  return {{kLevelMean, baselines.level_mean}, {kInputMean, at::stack(coarse)}};
}

std::string PairedSummary::json() const {
  nlohmann::ordered_json json;
  json["target"] = to_json(profile);
  json["inputs"] = nlohmann::ordered_json::array();
  for (const auto& input : inputs) json["inputs"].push_back(to_json(input));
  json["baselines"] = to_json(baselines);
  return json.dump();
}

PairedSummary summarise(const PairedSlices& training) {
  PairedSummary summary;
  const auto& settings = training.settings();
  summary.profile = fit_target_profile(training.people(), settings);
  summary.inputs = likenesses(training.people(), settings.inputs);
  const auto spacing = spacing_mm(training.people().front().grid.voxel_to_world);
  summary.baselines = fit_baselines(training, spacing[0]);
  return summary;
}

PairedSummary summarise_unpaired(const std::vector<PairedPerson>& sources,
                                 const std::vector<std::string>& modalities,
                                 const PairedSlices& targets) {
  PairedSummary summary;
  summary.profile = fit_target_profile(targets.people(), targets.settings());
  summary.inputs = likenesses(sources, modalities);
  summary.baselines = baselines_without_pairs(targets, modalities.size());
  return summary;
}

PairedSummary read_summary(const std::map<std::string, torch::Tensor>& tensors,
                           const std::string& text, const PairedSettings& settings,
                           const std::string& where) {
  const auto json = nlohmann::ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
  require(json.is_object(), "{}: metadata \"summary\" is not JSON; the file is damaged", where);
  const auto tensor = [&](const std::string& name, const std::vector<int64_t>& shape) {
    const auto found = tensors.find(name);
    require(found != tensors.end() && found->second.sizes() == torch::IntArrayRef(shape),
            "{}: tensor {} is missing or not [{}]", where, name, fmt::join(shape, ","));
    return found->second;
  };
  const auto part = [&](const char* name) {
    return json.contains(name) ? json.at(name) : nlohmann::ordered_json();
  };
  const size_t channels = settings.inputs.size();
  PairedSummary summary;
  // As many places as slices were chosen; of all slices, as many as the level mean says.
  const auto mean = tensors.find(kLevelMean);
  const int64_t places = settings.slices > 0     ? settings.slices
                         : mean != tensors.end() ? mean->second.size(0)
                                                 : 0;
  summary.profile = target_profile_from_json(part("target"), places, channels, where);
  const auto coarse =
      tensor(kInputMean, {static_cast<int64_t>(channels), kCoarseSide, kCoarseSide, kCoarseSide});
  const auto inputs = part("inputs");
  require(inputs.is_array() && inputs.size() == channels,
          "{}: \"summary\" is not of {} channels; the file is damaged", where, channels);
  for (size_t c = 0; c < channels; ++c)
    summary.inputs.push_back(
        input_likeness_from_json(inputs[c], coarse[static_cast<int64_t>(c)], where));
  summary.baselines = baselines_from_json(
      part("baselines"), tensor(kLevelMean, {places, settings.side, settings.side}), channels,
      where);
  return summary;
}

}  // namespace scintigen
