// SPDX-License-Identifier: Apache-2.0
#include "training/image_pool.h"

#include <ATen/ATen.h>

#include <utility>
#include <vector>

#include "core/error.h"
#include "core/random.h"

namespace scintigen {

ImagePool::ImagePool(int64_t size, torch::IntArrayRef image, torch::Device device, uint64_t seed,
                     std::string name)
    : seed_(seed), stream_("image pool " + std::move(name)) {
  if (size == 0) return;
  auto shape = image.vec();
  shape.insert(shape.begin(), size);
  images_ = torch::zeros(shape, torch::TensorOptions(torch::kFloat).device(device));
  count_ = torch::zeros({1}, torch::kLong);
}

torch::Tensor ImagePool::exchange(const torch::Tensor& made, int64_t step) {
  if (!images_.defined()) return made;
  const torch::NoGradGuard no_grad;
  const int64_t size = images_.size(0), batch = made.size(0);
  int64_t& count = *count_.data_ptr<int64_t>();
  std::vector<torch::Tensor> shown;
  for (int64_t n = 0; n < batch; ++n) {
    if (count < size) {
      images_[count++].copy_(made[n]);
      shown.push_back(made[n]);
      continue;
    }
    Random random(seed_, stream_, static_cast<uint64_t>(step * batch + n));
    if (random.uniform() <= 0.5) {
      shown.push_back(made[n]);
      continue;
    }
    auto place = images_[random.integer(0, size - 1)];
    shown.push_back(place.to(made.scalar_type(), false, /*copy=*/true));
    place.copy_(made[n]);
  }
  return torch::stack(shown);
}

std::map<std::string, torch::Tensor> ImagePool::state() const {
  if (!images_.defined()) return {};
  return {{"images", images_}, {"count", count_}};
}

void ImagePool::load_state(const std::map<std::string, torch::Tensor>& state) {
  if (!images_.defined()) return;
  const torch::NoGradGuard no_grad;
  const auto& count = state.at("count");
  const auto filled = count.item<int64_t>();
  require(filled >= 0 && filled <= images_.size(0), "image pool: {} images in room for {}", filled,
          images_.size(0));
  images_.copy_(state.at("images"));
  count_.copy_(count);
}

}  // namespace scintigen
