// SPDX-License-Identifier: Apache-2.0
// A checkpoint of a small generator with random weights, in the format of training/checkpoint.h.
#pragma once
#include <torch/torch.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "cohort/conditions.h"
#include "core/random.h"
#include "core/safetensors.h"
#include "models/fastgan.h"

namespace scintigen {

/// Conditions level (cortex, basal_ganglia) and pattern (normal, bilateral); nobody had
/// basal_ganglia with bilateral.
inline ConditionEncoder tiny_conditions() {
  Table table;
  table.name = "training.tsv";
  table.columns = {"level", "pattern"};
  table.rows = {{"cortex", "normal"},
                {"cortex", "normal"},
                {"cortex", "bilateral"},
                {"basal_ganglia", "normal"}};
  return ConditionEncoder(table, {"level", "pattern"});
}

struct TinyCheckpoint {
  std::map<std::string, torch::Tensor> tensors;
  std::map<std::string, std::string> metadata;
  void write(const std::filesystem::path& path) const { write_tensors(path, tensors, metadata); }
};

inline FastganSettings tiny_network() {
  FastganSettings settings;
  settings.latent = 8;
  settings.embedding = 6;
  settings.generator_widths = {16, 8, 8, 4, 4};
  settings.excitation_width = 4;
  return settings;
}

/// A generator whose batch norms have statistics of their own, so that leaving them out shows.
inline FastganGenerator tiny_generator(uint64_t seed, int64_t conditions,
                                       const FastganSettings& settings = tiny_network()) {
  const torch::NoGradGuard no_gradients;
  FastganGenerator generator(settings, conditions);
  uint64_t index = 0;
  for (auto& entry : generator->named_parameters())
    entry.value().copy_(Random(seed, "parameter", index++).normal_tensor(entry.value().sizes()) *
                        0.4);
  for (auto& entry : generator->named_buffers()) {
    auto values = Random(seed, "buffer", index++).uniform_tensor(entry.value().sizes());
    entry.value().copy_(entry.key().find("running_mean") != std::string::npos ? values - 0.5
                                                                              : values + 0.5);
  }
  return generator;
}

inline TinyCheckpoint tiny_checkpoint(const FastganSettings& settings = tiny_network()) {
  struct Network : Settings {
    FastganSettings fastgan;
    void visit(SettingsVisitor& visitor) override { fastgan.visit(visitor); }
  } network;
  network.fastgan = settings;
  const auto encoder = tiny_conditions();
  TinyCheckpoint checkpoint;
  for (const auto& [prefix, seed] :
       std::map<std::string, uint64_t>{{"generator.", 1}, {"average.", 2}}) {
    const auto generator = tiny_generator(seed, encoder.size(), settings);
    for (const auto& entry : generator->named_parameters())
      checkpoint.tensors[prefix + entry.key()] = entry.value().detach();
    for (const auto& entry : generator->named_buffers())
      checkpoint.tensors[prefix + entry.key()] = entry.value();
  }
  checkpoint.tensors["discriminator.output1.bias"] = torch::zeros({1});
  checkpoint.metadata = {{"format", "scintigen-checkpoint-1"},
                         {"method", "fastgan"},
                         {"network", settings_to_json(network).dump()},
                         {"conditions", encoder.to_json()},
                         {"step", "120"},
                         {"epoch", "10"},
                         {"cohort", R"({"name": "tiny", "pixel_mm": 3.5, "unit": "counts"})"}};
  return checkpoint;
}

/// A folder for one test, removed with it.
class TestFolder {
 public:
  TestFolder() {
    static int count = 0;
    path = std::filesystem::temp_directory_path() /
           ("scintigen-synthesis-" + std::to_string(getpid()) + "-" + std::to_string(count++));
    std::filesystem::create_directories(path);
  }
  ~TestFolder() { std::filesystem::remove_all(path); }
  std::filesystem::path path;
};

/// The text of the Error that `call` throws.
template <class Call>
std::string refusal(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was refused";
}

}  // namespace scintigen
