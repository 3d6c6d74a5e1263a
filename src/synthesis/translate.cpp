// SPDX-License-Identifier: Apache-2.0
#include "synthesis/translate.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/random.h"
#include "core/safetensors.h"
#include "synthesis/tiling.h"

namespace scintigen {
namespace {

constexpr int64_t kBaselineBatch = 8;

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
                                   torch::ScalarType compute, const Inference& inference) {
  const auto file = read_tensors(checkpoint);
  network_ = read_translator_network(file, device, compute, inference);
  require(file.metadata.count("summary") == 1,
          "{}: says nothing of its training data (metadata \"summary\"); it is of an earlier "
          "scintigen: train anew",
          file.source);
  summary_ = read_summary(file.tensors, file.metadata.at("summary"), network_.data, file.source);
  metadata_ = file.metadata;
}

void require_alike(const std::vector<PairedTranslator>& ensemble) {
  const auto& first = ensemble.front().data();
  for (const auto& other : ensemble) {
    const auto& data = other.data();
    require(
        data.inputs == first.inputs && data.target == first.target && data.side == first.side &&
            data.slices == first.slices && data.scale == first.scale &&
            other.pieces().pieces == ensemble.front().pieces().pieces &&
            other.pieces().patch_side == ensemble.front().pieces().patch_side,
        "the runs do not fit together: {} to {} ({} slices of {} pixels, scaled by {}, {}), and "
        "{} to {} ({} of {}, by {}, {})",
        fmt::join(first.inputs, "+"), first.target, first.slices, first.side, first.scale,
        ensemble.front().pieces().pieces, fmt::join(data.inputs, "+"), data.target, data.slices,
        data.side, data.scale, other.pieces().pieces);
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

std::unique_ptr<VolumeTiling> make_tiling(const PairedPerson& person, const PairedSettings& data,
                                          const PieceSettings& pieces,
                                          const std::vector<int64_t>& planes, Overlap overlap,
                                          int64_t outputs) {
  if (pieces.pieces == kSlicePieces)
    return std::make_unique<SliceTiling>(person.inputs, planes, data.side, outputs);
  const auto& input = person.inputs.front();
  if (pieces.patches())
    return std::make_unique<PatchTiling>(input, pieces.patch_side, overlap, outputs);
  require(!planes.empty(), "triplets: no plane to translate");
  return std::make_unique<TripletTiling>(input, planes.front(), planes.back() - planes.front() + 1,
                                         data.side, overlap, outputs);
}

torch::Tensor predict_volume(const PairedBaselines& baselines, const std::string& name,
                             const PairedPerson& person, const std::vector<int64_t>& planes,
                             int64_t side) {
  SliceTiling tiling(person.inputs, planes, side);
  const int64_t all_places = baselines.level_mean.size(0);
  const auto count = static_cast<int64_t>(planes.size());
  int64_t put = 0;
  run_pieces(
      tiling,
      [&](const torch::Tensor& pieces, int64_t) {
        std::vector<int64_t> places;
        const int64_t first = std::max<int64_t>(0, std::min(put, count - kBaselineBatch));
        for (int64_t n = 0; n < pieces.size(0); ++n)
          places.push_back(
              person.place_of(planes[static_cast<size_t>((first + n) % count)], all_places));
        return predict(baselines, name, pieces, places);
      },
      kBaselineBatch,
      [&](int64_t more) {
        put += more;
        return true;
      });
  return tiling.volume(0);
}

TranslatedPixels translate(std::vector<PairedTranslator>& ensemble, const PairedPerson& person,
                           const std::vector<int64_t>& planes, const Inference& inference,
                           const std::function<bool(int64_t)>& done) {
  const auto draws = inference.samples * static_cast<int64_t>(ensemble.size());
  const auto tiling = make_tiling(person, ensemble.front().data(), ensemble.front().pieces(),
                                  planes, inference.overlap, draws > 1 ? 2 : 1);
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
  if (!run_pieces(*tiling, network, inference.batch_size, done)) return pixels;
  pixels.mean = tiling->volume(0);
  if (draws > 1) pixels.deviation = tiling->volume(1);
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
