// SPDX-License-Identifier: Apache-2.0
#include "synthesis/translate.h"

#include <torch/torch.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/random.h"
#include "core/safetensors.h"
#include "synthesis/checkpoint_weights.h"
#include "synthesis/tiling.h"

namespace scintigen {
namespace {

using Json = nlohmann::ordered_json;
constexpr const char* kMethod = "pix2pix";

Json metadata_json(const TensorFile& file, const std::string& key) {
  auto json = Json::parse(metadata_at(file, key, kMethod), nullptr, /*allow_exceptions=*/false);
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

/// Values per plane k of factor_k (pixel - from) + low_k, 0 where there is no slice or no brain.
torch::Tensor by_plane(const torch::Tensor& pixels, const TranslatedPixels& made,
                       const std::vector<PlaneRange>& ranges, const torch::Tensor& brain,
                       bool deviation) {
  auto values = torch::zeros_like(pixels);
  for (const int64_t k : made.planes) {
    const auto& [low, high] = ranges[static_cast<size_t>(k)];
    const double half = (high - low) / 2;
    auto plane = deviation ? pixels[k] * half : (pixels[k] + 1) * half + low;
    if (brain.defined()) plane = torch::where(brain[k] > 0, plane, torch::zeros_like(plane));
    values[k].copy_(plane);
  }
  return values;
}

}  // namespace

PairedTranslator::PairedTranslator(const std::filesystem::path& checkpoint, torch::Device device,
                                   torch::ScalarType compute, const Inference& inference)
    : device_(device) {
  const auto file = read_tensors(checkpoint);
  require_method(file, kMethod);
  const auto training = metadata_json(file, "training");
  data_ = part_of<PairedSettings>(training, file.source);
  auto network = part_of<UnetSettings>(training, file.source);
  network.inputs = static_cast<int64_t>(data_.inputs.size());
  require(network.inputs >= 1, "{}: takes no modality; the file is damaged", file.source);
  network.levels = levels_of(metadata_json(file, "network"), data_.side, file.source);
  // Where weights were averaged, the average translates (as in the training's own evaluation).
  const std::string weights = has_any(file, "average.") ? "average." : "generator.";
  require_weights(weights_of(network), file, weights);
  require(file.metadata.count("summary") == 1,
          "{}: says nothing of its training data (metadata \"summary\"); it is of an earlier "
          "scintigen: train anew",
          file.source);
  summary_ = read_summary(file.tensors, file.metadata.at("summary"), data_, file.source);
  require(!inference.dropout || network.dropout > 0,
          "{}: was trained without dropout; there is nothing to sample; leave --dropout and "
          "--samples out, or give several runs",
          file.source);
  if (!inference.dropout) network.dropout = 0;
  generator_ = UnetGenerator(network);
  load_weights(*generator_, file, weights);
  generator_->to(device_);
  generator_->set_compute_type(compute);
  generator_->set_dropout(inference.dropout);
  generator_->train(inference.batch_statistics);
  metadata_ = file.metadata;
}

torch::Tensor PairedTranslator::operator()(const torch::Tensor& inputs, uint64_t draw) {
  const torch::NoGradGuard no_gradients;
  return generator_->forward(inputs.to(device_), draw).to(torch::kCPU);
}

void require_alike(const std::vector<PairedTranslator>& ensemble) {
  const auto& first = ensemble.front().data();
  for (const auto& other : ensemble) {
    const auto& data = other.data();
    require(data.inputs == first.inputs && data.target == first.target && data.side == first.side &&
                data.slices == first.slices && data.scale == first.scale,
            "the runs do not fit together: {} to {} ({} slices of {} pixels, scaled by {}), and {} "
            "to {} ({} of {}, by {})",
            fmt::join(first.inputs, "+"), first.target, first.slices, first.side, first.scale,
            fmt::join(data.inputs, "+"), data.target, data.slices, data.side, data.scale);
  }
}

std::vector<int64_t> planes_to_translate(const PairedPerson& person, const std::string& which) {
  const auto brain = which == "brain" ? person.brain() : torch::Tensor();
  std::vector<int64_t> planes;
  for (int64_t k = 0; k < person.grid.nk; ++k) {
    if (which == "all" || person.is_chosen(k) ||
        (brain.defined() && (brain[k] > 0).any().item<bool>()))
      planes.push_back(k);
  }
  return planes;
}

TranslatedPixels translate(std::vector<PairedTranslator>& ensemble, const PairedPerson& person,
                           const std::vector<int64_t>& planes, const Inference& inference,
                           const std::function<bool(int64_t)>& done) {
  const auto draws = inference.samples * static_cast<int64_t>(ensemble.size());
  SliceTiling tiling(person.inputs, planes, ensemble.front().data().side, draws > 1 ? 2 : 1);
  const auto network = [&](const torch::Tensor& pieces, int64_t batch) {
    // Welford's sums: squares of numbers near -1 would cancel.
    torch::Tensor mean, squares;
    int64_t n = 0;
    for (size_t run = 0; run < ensemble.size(); ++run)
      for (int64_t sample = 0; sample < inference.samples; ++sample) {
        const auto stream = stream_seed(inference.seed, "dropout", static_cast<uint64_t>(n));
        const auto made =
            ensemble[run](pieces, stream_seed(stream, "batch", static_cast<uint64_t>(batch)));
        if (++n == 1) {
          mean = made.clone();
          squares = torch::zeros_like(made);
          continue;
        }
        const auto step = made - mean;
        mean += step / static_cast<double>(n);
        squares += step * (made - mean);
      }
    if (n == 1) return mean;
    return torch::cat({mean, (squares / static_cast<double>(n - 1)).sqrt()}, 1);
  };
  TranslatedPixels pixels;
  if (!run_pieces(tiling, network, inference.batch_size, done)) return pixels;
  pixels.mean = tiling.volume(0);
  if (draws > 1) pixels.deviation = tiling.volume(1);
  pixels.planes = planes;
  return pixels;
}

torch::Tensor to_counts(const TranslatedPixels& pixels, const std::vector<PlaneRange>& ranges,
                        const torch::Tensor& brain) {
  return by_plane(pixels.mean, pixels, ranges, brain, false);
}

torch::Tensor deviation_in_counts(const TranslatedPixels& pixels,
                                  const std::vector<PlaneRange>& ranges,
                                  const torch::Tensor& brain) {
  return by_plane(pixels.deviation, pixels, ranges, brain, true);
}

double neighbour_difference(const torch::Tensor& voxels, const torch::Tensor& inside) {
  const auto in = inside > 0;
  const double mean = voxels.masked_select(in).mean(torch::kDouble).item<double>();
  double sum = 0;
  int64_t pairs = 0;
  for (int64_t k = 0; k + 1 < voxels.size(0); ++k) {
    const auto both = in[k].logical_and(in[k + 1]);
    const auto steps = (voxels[k + 1] - voxels[k]).abs().masked_select(both);
    if (steps.numel() == 0) continue;
    sum += steps.mean(torch::kDouble).item<double>();
    ++pairs;
  }
  return pairs > 0 && mean != 0 ? sum / static_cast<double>(pairs) / mean : 0;
}

void even_slices(torch::Tensor& voxels, const torch::Tensor& inside, double sigma_planes) {
  if (sigma_planes <= 0) return;
  const int64_t depth = voxels.size(0);
  std::vector<double> logs(static_cast<size_t>(depth), 0), weights(static_cast<size_t>(depth), 0);
  for (int64_t k = 0; k < depth; ++k) {
    const auto values = voxels[k].masked_select(inside[k] > 0);
    if (values.numel() == 0) continue;
    const double mean = values.mean(torch::kDouble).item<double>();
    if (!(mean > 0)) continue;
    logs[static_cast<size_t>(k)] = std::log(mean);
    weights[static_cast<size_t>(k)] = static_cast<double>(values.numel());
  }
  const double before = voxels.sum(torch::kDouble).item<double>();
  for (int64_t k = 0; k < depth; ++k) {
    if (weights[static_cast<size_t>(k)] == 0) continue;
    // A straight line through the neighbours, weighted: the ends are not pulled inwards.
    double s0 = 0, s1 = 0, s2 = 0, t0 = 0, t1 = 0;
    for (int64_t other = 0; other < depth; ++other) {
      const auto away = static_cast<double>(other - k);
      const double w = weights[static_cast<size_t>(other)] *
                       std::exp(-0.5 * away * away / (sigma_planes * sigma_planes));
      s0 += w;
      s1 += w * away;
      s2 += w * away * away;
      t0 += w * logs[static_cast<size_t>(other)];
      t1 += w * away * logs[static_cast<size_t>(other)];
    }
    const double determinant = s0 * s2 - s1 * s1;
    const double smooth =
        determinant > 1e-9 * s0 * s0 ? (t0 * s2 - t1 * s1) / determinant : t0 / s0;
    voxels[k].mul_(std::exp(smooth - logs[static_cast<size_t>(k)]));
  }
  const double after = voxels.sum(torch::kDouble).item<double>();
  if (before != 0 && after != 0) voxels.mul_(before / after);
}

}  // namespace scintigen
