// SPDX-License-Identifier: Apache-2.0
#include "synthesis/tiling.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace scintigen {

bool run_pieces(Tiling& tiling, const PieceNetwork& network, int64_t batch_size,
                const std::function<bool(int64_t)>& done) {
  require(batch_size >= 1, "batches of {} pieces; expected at least 1", batch_size);
  const int64_t count = tiling.size();
  int64_t put = 0;
  for (int64_t batch = 0; put < count; ++batch) {
    const int64_t first = std::max<int64_t>(0, std::min(put, count - batch_size));
    std::vector<torch::Tensor> pieces(static_cast<size_t>(batch_size));
    at::parallel_for(0, batch_size, 1, [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n)
        pieces[static_cast<size_t>(n)] = tiling.cut((first + n) % count);
    });
    const auto made = network(at::stack(pieces), batch).to(torch::kFloat);
    require(made.size(0) == batch_size, "a network made {} pieces of {}", made.size(0), batch_size);
    const int64_t before = put;
    for (; put < std::min(count, first + batch_size); ++put) tiling.put(put, made[put - first]);
    if (done && !done(put - before) && put < count) return false;
  }
  return true;
}

SliceTiling::SliceTiling(std::vector<MappedVolume> inputs, std::vector<int64_t> planes,
                         int64_t side, int64_t outputs)
    : inputs_(std::move(inputs)), planes_(std::move(planes)), side_(side) {
  require(!inputs_.empty(), "slices: no volume to cut");
  const auto sizes = inputs_.front().voxels.sizes();
  for (const auto& input : inputs_)
    require(input.voxels.sizes() == sizes, "slices: inputs of {} and {} voxels; expected one grid",
            fmt::join(sizes, " x "), fmt::join(input.voxels.sizes(), " x "));
  for (const int64_t k : planes_)
    require(k >= 0 && k < sizes[0], "slices: plane {} of {}", k, sizes[0]);
  for (int64_t o = 0; o < outputs; ++o)
    made_.push_back(torch::full(sizes, kNoSlice[std::min<int64_t>(o, 1)], torch::kFloat));
}

torch::Tensor SliceTiling::cut(int64_t piece) const {
  std::vector<torch::Tensor> channels;
  for (const auto& input : inputs_)
    channels.push_back(scaled_slice(input.voxels, planes_[static_cast<size_t>(piece)], side_,
                                    input.low, input.high)
                           .pixels);
  return at::stack(channels);
}

void SliceTiling::put(int64_t piece, const torch::Tensor& made) {
  for (size_t o = 0; o < made_.size(); ++o)
    put_slice(made[static_cast<int64_t>(o)], planes_[static_cast<size_t>(piece)], made_[o]);
}

TripletTiling::TripletTiling(MappedVolume input, int64_t first, int64_t count, int64_t side,
                             Overlap overlap, int64_t outputs)
    : input_(std::move(input)), overlap_(overlap), first_(first), end_(first + count) {
  const auto sizes = input_.voxels.sizes();
  require(first >= 0 && count >= 1 && first + count <= sizes[0],
          "triplets: planes {} to {} of {}; expected some of them", first, first + count - 1,
          sizes[0]);
  side_ = (std::max({side, sizes[1], sizes[2]}) + 3) / 4 * 4;
  places_ = triplet_places(first, count, overlap == Overlap::kMean ? 1 : kTriplet);
  for (int64_t o = 0; o < outputs; ++o) sums_.push_back(torch::zeros(sizes, torch::kDouble));
  counts_.assign(static_cast<size_t>(sizes[0]), 0);
}

torch::Tensor TripletTiling::cut(int64_t piece) const {
  auto pixels = torch::empty({kTriplet, side_, side_}, torch::kFloat);
  cut_triplet(input_, places_[static_cast<size_t>(piece)].k, side_, pixels.data_ptr<float>());
  return pixels;
}

void TripletTiling::put(int64_t piece, const torch::Tensor& made) {
  const int64_t first = places_[static_cast<size_t>(piece)].k;
  auto plane = torch::empty({1, input_.voxels.size(1), input_.voxels.size(2)}, torch::kFloat);
  for (int64_t n = 0; n < kTriplet && first + n < end_; ++n) {
    auto& count = counts_[static_cast<size_t>(first + n)];
    if (count > 0 && overlap_ == Overlap::kNone) continue;
    ++count;
    for (size_t o = 0; o < sums_.size(); ++o) {
      put_slice(made[static_cast<int64_t>(o) * kTriplet + n], 0, plane);
      sums_[o][first + n] += plane[0];
    }
  }
}

torch::Tensor TripletTiling::volume(int64_t output) const {
  const auto& sums = sums_.at(static_cast<size_t>(output));
  auto values = torch::full(sums.sizes(), kNoSlice[std::min<int64_t>(output, 1)], torch::kFloat);
  for (int64_t k = 0; k < sums.size(0); ++k) {
    const auto count = static_cast<double>(counts_[static_cast<size_t>(k)]);
    if (count > 0) values[k].copy_(sums[k] / count);
  }
  return values;
}

namespace {

/// Whole numbers: what a voxel of a piece counts along one axis.
std::vector<double> window_of(int64_t side, Overlap overlap) {
  constexpr double kPi = 3.14159265358979323846, kParts = 256;
  std::vector<double> window(static_cast<size_t>(side), 0);
  for (int64_t x = 0; x < side; ++x) {
    const double sine = std::sin(kPi * (static_cast<double>(x) + 0.5) / static_cast<double>(side));
    const bool middle = x >= side / 4 && x < side - side / 4;
    window[static_cast<size_t>(x)] = overlap == Overlap::kMean
                                         ? std::max(1.0, std::round(kParts * sine * sine))
                                     : middle ? 1
                                              : 0;
  }
  return window;
}

/// Along an axis of `size`: so that every voxel lies in a middle half, or in two patches.
std::vector<int64_t> patch_starts(int64_t size, int64_t side, Overlap overlap) {
  const int64_t before = overlap == Overlap::kMean ? side / 2 : side / 4;
  const int64_t edge = overlap == Overlap::kMean ? 0 : side / 4;
  std::vector<int64_t> starts;
  for (int64_t start = -before; start + edge < size; start += side / 2) starts.push_back(start);
  return starts;
}

}  // namespace

PatchTiling::PatchTiling(MappedVolume input, int64_t side, Overlap overlap, int64_t outputs)
    : input_(std::move(input)), side_(side), window_(window_of(side, overlap)) {
  require(side >= 4 && side % 4 == 0, "patches of {} voxels; expected a multiple of 4", side);
  const auto sizes = input_.voxels.sizes();
  for (const int64_t k : patch_starts(sizes[0], side, overlap))
    for (const int64_t j : patch_starts(sizes[1], side, overlap))
      for (const int64_t i : patch_starts(sizes[2], side, overlap)) places_.push_back({k, j, i});
  for (int64_t o = 0; o < outputs; ++o) sums_.push_back(torch::zeros(sizes, torch::kDouble));
  weights_ = torch::zeros(sizes, torch::kDouble);
}

torch::Tensor PatchTiling::cut(int64_t piece) const {
  auto pixels = torch::empty({1, side_, side_, side_}, torch::kFloat);
  cut_patch(input_, places_[static_cast<size_t>(piece)], side_, pixels.data_ptr<float>());
  return pixels;
}

void PatchTiling::put(int64_t piece, const torch::Tensor& made) {
  const auto& place = places_[static_cast<size_t>(piece)];
  const auto sizes = weights_.sizes();
  const auto patch = made.contiguous();
  const float* const in = patch.data_ptr<float>();
  auto* const weights = weights_.data_ptr<double>();
  const auto window = [&](int64_t x) { return window_[static_cast<size_t>(x)]; };
  const int64_t cube = side_ * side_ * side_;
  for (int64_t a = std::max<int64_t>(0, -place.k); a < std::min(side_, sizes[0] - place.k); ++a)
    for (int64_t b = std::max<int64_t>(0, -place.j); b < std::min(side_, sizes[1] - place.j); ++b) {
      const double along = window(a) * window(b);
      if (along == 0) continue;
      const int64_t from = (a * side_ + b) * side_;
      const int64_t to = ((place.k + a) * sizes[1] + place.j + b) * sizes[2] + place.i;
      for (int64_t c = std::max<int64_t>(0, -place.i); c < std::min(side_, sizes[2] - place.i);
           ++c) {
        const double weight = along * window(c);
        if (weight == 0) continue;
        weights[to + c] += weight;
        for (size_t o = 0; o < sums_.size(); ++o)
          sums_[o].data_ptr<double>()[to + c] +=
              weight * static_cast<double>(in[static_cast<int64_t>(o) * cube + from + c]);
      }
    }
}

torch::Tensor PatchTiling::volume(int64_t output) const {
  return (sums_.at(static_cast<size_t>(output)) / weights_).to(torch::kFloat);
}

}  // namespace scintigen
