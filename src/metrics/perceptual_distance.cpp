// SPDX-License-Identifier: Apache-2.0
#include "metrics/perceptual_distance.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <fmt/ranges.h>

#include "core/error.h"

namespace scintigen {
namespace {

constexpr double kNormEpsilon = 1e-10;

struct ConvolutionPlan {
  int64_t number, out, in, side, stride, padding;
  bool pool_before;  // maximum over 3 x 3 (AlexNet) or 2 x 2 (VGG16), stride 2
  bool compared;     // LPIPS looks at what its ReLU gives
};

const std::vector<ConvolutionPlan> kAlexPlan = {{0, 64, 3, 11, 4, 2, false, true},
                                                {3, 192, 64, 5, 1, 2, true, true},
                                                {6, 384, 192, 3, 1, 1, true, true},
                                                {8, 256, 384, 3, 1, 1, false, true},
                                                {10, 256, 256, 3, 1, 1, false, true}};

const std::vector<ConvolutionPlan> kVggPlan = {
    {0, 64, 3, 3, 1, 1, false, false},     {2, 64, 64, 3, 1, 1, false, true},
    {5, 128, 64, 3, 1, 1, true, false},    {7, 128, 128, 3, 1, 1, false, true},
    {10, 256, 128, 3, 1, 1, true, false},  {12, 256, 256, 3, 1, 1, false, false},
    {14, 256, 256, 3, 1, 1, false, true},  {17, 512, 256, 3, 1, 1, true, false},
    {19, 512, 512, 3, 1, 1, false, false}, {21, 512, 512, 3, 1, 1, false, true},
    {24, 512, 512, 3, 1, 1, true, false},  {26, 512, 512, 3, 1, 1, false, false},
    {28, 512, 512, 3, 1, 1, false, true}};

torch::Tensor weight_of(const TensorFile& file, const std::string& name,
                        std::vector<int64_t> shape) {
  const auto& tensor = file.at(name);
  require(
      tensor.is_floating_point() && tensor.sizes() == torch::IntArrayRef(shape),
      "{}: tensor '{}' is [{}] of {}; expected [{}] of floating point; is it the other network?",
      file.source, name, fmt::join(tensor.sizes(), ","), std::string(tensor.dtype().name()),
      fmt::join(shape, ","));
  require(tensor.isfinite().all().item<bool>(), "{}: tensor '{}' holds values that are not finite",
          file.source, name);
  return tensor.to(torch::kCPU, torch::kFloat);
}

torch::Tensor channels(double red, double green, double blue) {
  return at::tensor({red, green, blue}, torch::kFloat).view({1, 3, 1, 1});
}

/// [2N,C,h,w], the first N of A -> [N] float64.
torch::Tensor layer_distance(const torch::Tensor& features, const torch::Tensor& weight) {
  const auto norm = features.square().sum(1, true).sqrt();
  const auto halves = (features / (norm + kNormEpsilon)).chunk(2);
  return ((halves[0] - halves[1]).square() * weight).sum(1).to(torch::kDouble).mean({1, 2});
}

}  // namespace

PerceptualDistance::PerceptualDistance(const TensorFile& weights, PerceptualNetwork network)
    : network_(network) {
  for (const auto& plan : network == PerceptualNetwork::kAlex ? kAlexPlan : kVggPlan) {
    const auto name = fmt::format("features.{}.", plan.number);
    convolutions_.push_back(
        {weight_of(weights, name + "weight", {plan.out, plan.in, plan.side, plan.side}),
         weight_of(weights, name + "bias", {plan.out}), plan.stride, plan.padding, plan.pool_before,
         plan.compared});
    if (plan.compared)
      layer_weights_.push_back(weight_of(weights,
                                         fmt::format("lin{}.model.1.weight", layer_weights_.size()),
                                         {1, plan.out, 1, 1}));
  }
}

int64_t PerceptualDistance::smallest_side() const {
  return network_ == PerceptualNetwork::kAlex ? 31 : 16;
}

torch::Tensor PerceptualDistance::operator()(const torch::Tensor& a, const torch::Tensor& b) const {
  require(a.dim() == 3 && a.sizes() == b.sizes() && a.numel() > 0,
          "LPIPS: images are [{}] and [{}]; expected twice the same [N,H,W]",
          fmt::join(a.sizes(), ","), fmt::join(b.sizes(), ","));
  const int64_t side = smallest_side();
  require(a.size(1) >= side && a.size(2) >= side,
          "LPIPS: the image is {} x {} pixels; this network needs at least {} x {}", a.size(1),
          a.size(2), side, side);
  const c10::NoGradGuard no_grad;
  auto x = at::cat({a, b}).to(torch::kCPU, torch::kFloat).unsqueeze(1).expand({-1, 3, -1, -1});
  x = (x - channels(-0.030, -0.088, -0.188)) / channels(0.458, 0.448, 0.450);
  const int64_t pool = network_ == PerceptualNetwork::kAlex ? 3 : 2;
  auto distance = at::zeros({a.size(0)}, torch::kDouble);
  size_t layer = 0;
  for (const auto& step : convolutions_) {
    if (step.pool_before) x = at::max_pool2d(x, pool, 2);
    x = at::conv2d(x, step.weight, step.bias, step.stride, step.padding).relu_();
    if (step.compared) distance += layer_distance(x, layer_weights_[layer++]);
  }
  return distance;
}

}  // namespace scintigen
