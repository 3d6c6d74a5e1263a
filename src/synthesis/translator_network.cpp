// SPDX-License-Identifier: Apache-2.0
#include "synthesis/translator_network.h"

#include <torch/torch.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "models/resnet_generator.h"
#include "models/unet.h"
#include "synthesis/checkpoint_weights.h"

namespace scintigen {
namespace {

using Json = nlohmann::ordered_json;

Json metadata_json(const TensorFile& file, const std::string& key, const std::string& method) {
  auto json = Json::parse(metadata_at(file, key, method), nullptr, /*allow_exceptions=*/false);
  require(json.is_object(), "{}: metadata \"{}\" is not a JSON object; the file is damaged",
          file.source, key);
  return json;
}

/// The settings of `Part` that a larger record holds among others.
template <class Part>
Part part_of(const Json& record, const std::string& where) {
  struct AsSettings : Settings {
    Part part;
    void visit(SettingsVisitor& visitor) override { part.visit(visitor); }
  } settings;
  auto known = settings_to_json(settings);
  Json mine;
  for (const auto& [key, value] : known.items()) {
    require(record.contains(key), "{}: settings have no \"{}\"; was it written by another version?",
            where, key);
    mine[key] = record.at(key);
  }
  settings_from_json(settings, mine, where);
  check_settings(settings, where);
  return settings.part;
}

int64_t levels_of(const Json& network, int64_t side, const std::string& where) {
  int64_t levels = 0;
  while ((int64_t{1} << levels) < side) ++levels;
  require(int64_t{1} << levels == side && network.value("levels", Json()) == levels,
          "{}: slices of {} pixels do not fit a network of {} levels; the file is damaged", where,
          side, network.value("levels", Json()).dump());
  return levels;
}

/// Weights of the inner levels, which are most of them.
double weights_of(const UnetSettings& network) {
  const double widest = 8.0 * static_cast<double>(network.width);
  return 16 * widest * widest * 3 * static_cast<double>(network.levels - 4);
}

/// Weights of the residual blocks and of the convolutions beside them.
double weights_of(const ResnetSettings& network) {
  const double widest = 4.0 * static_cast<double>(network.width);
  const double taps = network.dimensions == 3 ? 27 : 9;
  return taps * widest * widest * (2 * static_cast<double>(network.blocks) + 1);
}

/// Wraps a network whose weights were read and which lies on its device.
template <class Network, class Forward>
auto on_cpu(Network network, torch::Device device, Forward forward) {
  return [network, device, forward](const torch::Tensor& pieces, uint64_t draw) mutable {
    const torch::NoGradGuard no_gradients;
    return forward(network, pieces.to(device), draw).to(torch::kCPU);
  };
}

void read_pix2pix(const TensorFile& file, torch::Device device, torch::ScalarType compute,
                  const Inference& inference, TranslatorNetwork& into) {
  const auto training = metadata_json(file, "training", into.method);
  into.data = part_of<PairedSettings>(training, file.source);
  into.pieces.pieces = kSlicePieces;
  auto settings = part_of<UnetSettings>(training, file.source);
  settings.inputs = static_cast<int64_t>(into.data.inputs.size());
  require(settings.inputs >= 1, "{}: takes no modality; the file is damaged", file.source);
  settings.levels =
      levels_of(metadata_json(file, "network", into.method), into.data.side, file.source);
  // Where weights were averaged, the average translates (as in the training's own evaluation).
  const std::string weights = has_any(file, "average.") ? "average." : "generator.";
  require_weights(weights_of(settings), file, weights);
  require(!inference.dropout || settings.dropout > 0,
          "{}: was trained without dropout; there is nothing to sample; leave --dropout and "
          "--samples out, or give several runs",
          file.source);
  if (!inference.dropout) settings.dropout = 0;
  UnetGenerator generator(settings);
  load_weights(*generator, file, weights);
  generator->to(device);
  generator->set_compute_type(compute);
  generator->set_dropout(inference.dropout);
  generator->train(inference.batch_statistics);
  into.forward = on_cpu(generator, device, [](auto& network, const auto& x, uint64_t draw) {
    return network->forward(x, draw);
  });
}

void read_cyclegan(const TensorFile& file, torch::Device device, torch::ScalarType compute,
                   const Inference& inference, TranslatorNetwork& into) {
  const auto training = metadata_json(file, "training", into.method);
  into.data = part_of<PairedSettings>(training, file.source);
  into.pieces = part_of<PieceSettings>(training, file.source);
  require(into.data.inputs.size() == 1 && into.pieces.patch_side % 4 == 0,
          "{}: takes {} modalities in patches of {}; the file is damaged", file.source,
          into.data.inputs.size(), into.pieces.patch_side);
  require(!inference.dropout,
          "{}: was trained without dropout; there is nothing to sample; leave --dropout and "
          "--samples out, or give several runs",
          file.source);
  auto settings = part_of<ResnetSettings>(training, file.source);
  settings.inputs = settings.outputs = into.pieces.channels();
  settings.dimensions = into.pieces.patches() ? 3 : 2;
  const std::string weights = "generator.";
  require_weights(weights_of(settings), file, weights);
  ResnetGenerator generator(settings);
  load_weights(*generator, file, weights);
  generator->to(device);
  generator->set_compute_type(compute);
  generator->train(inference.batch_statistics);
  into.forward = on_cpu(generator, device,
                        [](auto& network, const auto& x, uint64_t) { return network->forward(x); });
}

}  // namespace

TranslatorNetwork read_translator_network(const TensorFile& file, torch::Device device,
                                          torch::ScalarType compute, const Inference& inference) {
  TranslatorNetwork network;
  const auto found = file.metadata.find("method");
  network.method =
      found != file.metadata.end() && found->second == "cyclegan" ? "cyclegan" : "pix2pix";
  require_method(file, network.method);
  if (network.method == "cyclegan")
    read_cyclegan(file, device, compute, inference, network);
  else
    read_pix2pix(file, device, compute, inference, network);
  return network;
}

}  // namespace scintigen
