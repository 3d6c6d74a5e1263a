// SPDX-License-Identifier: Apache-2.0
// A checkpoint of a small paired translator with random weights, in the format of
// training/pix2pix_recipe.cpp, and the people it pretends to be trained on.
#pragma once
#include <torch/torch.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "cohort/paired_people.h"
#include "cohort/paired_summary.h"
#include "core/random.h"
#include "core/safetensors.h"
#include "models/unet.h"

namespace scintigen {

inline PairedSettings tiny_data() {
  PairedSettings data;
  data.slices = 6;
  data.side = 32;
  return data;
}

inline UnetSettings tiny_unet() {
  UnetSettings network;
  network.width = 4;
  network.levels = 5;
  return network;
}

inline UnetGenerator tiny_unet_with_weights(uint64_t seed, const UnetSettings& settings) {
  const torch::NoGradGuard no_gradients;
  UnetGenerator generator(settings);
  uint64_t index = 0;
  for (auto& entry : generator->named_parameters())
    entry.value().copy_(Random(seed, "parameter", index++).normal_tensor(entry.value().sizes()) *
                        0.3);
  for (auto& entry : generator->named_buffers()) {
    auto values = Random(seed, "buffer", index++).uniform_tensor(entry.value().sizes());
    entry.value().copy_(entry.key().find("running_mean") != std::string::npos ? values - 0.5
                                                                              : values + 0.5);
  }
  return generator;
}

/// Two people with T1w and spect, 10 planes of 20 x 24 voxels; planes 2 to 7 hold most.
inline void add_tiny_people(MadeUpCohort& people) {
  uint64_t index = 0;
  for (const char* id : {"a", "b"})
    for (const char* modality : {"T1w", "spect"}) {
      auto voxels = torch::zeros({10, 20, 24}, torch::kFloat);
      voxels.slice(0, 2, 8).copy_(
          50 * Random(3, modality, index++).uniform_tensor({6, 20, 24}).add(0.1));
      people.add(id, modality, voxels);
    }
}

struct TinyTranslator {
  std::map<std::string, torch::Tensor> tensors;
  std::map<std::string, std::string> metadata;
  void write(const std::filesystem::path& path) const { write_tensors(path, tensors, metadata); }
};

template <class Part>
nlohmann::ordered_json settings_json(Part part) {
  struct AsSettings : Settings {
    Part part;
    void visit(SettingsVisitor& visitor) override { part.visit(visitor); }
  } all;
  all.part = part;
  return settings_to_json(all);
}

inline TinyTranslator tiny_translator(const PairedSlices& training, uint64_t seed = 1,
                                      const UnetSettings& network = tiny_unet()) {
  TinyTranslator checkpoint;
  const auto generator = tiny_unet_with_weights(seed, network);
  for (const auto& entry : generator->named_parameters())
    checkpoint.tensors["generator." + entry.key()] = entry.value().detach();
  for (const auto& entry : generator->named_buffers())
    checkpoint.tensors["generator." + entry.key()] = entry.value();
  checkpoint.tensors["discriminator.model.0.bias"] = torch::zeros({1});
  const auto summary = summarise(training);
  for (const auto& [name, tensor] : summary.tensors()) checkpoint.tensors[name] = tensor;
  auto settings = settings_json(training.settings());
  settings.update(settings_json(network));
  checkpoint.metadata = {{"format", "scintigen-checkpoint-1"},
                         {"method", "pix2pix"},
                         {"network", nlohmann::json({{"levels", network.levels}}).dump()},
                         {"training", settings.dump()},
                         {"summary", summary.json()},
                         {"step", "120"},
                         {"epoch", "10"},
                         {"cohort", R"({"name": "tiny", "space": "native"})"}};
  return checkpoint;
}

}  // namespace scintigen
