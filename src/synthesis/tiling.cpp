// SPDX-License-Identifier: Apache-2.0
#include "synthesis/tiling.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>

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

}  // namespace scintigen
