// SPDX-License-Identifier: Apache-2.0
#include "models/patch_autoencoder.h"

#include <cmath>

#include "core/error.h"

namespace scintigen {

PatchLayerImpl::PatchLayerImpl(int64_t in, int64_t out, int64_t side, bool widens)
    : widens(widens) {
  const torch::NoGradGuard no_grad;
  const double bound = 1 / std::sqrt(static_cast<double>((widens ? out : in) * side * side));
  const auto draw = [&](torch::IntArrayRef shape) {
    return torch::empty(shape).uniform_(-bound, bound);
  };
  weight = register_parameter("weight", draw({widens ? in : out, widens ? out : in, side, side}));
  bias = register_parameter("bias", draw({out}));
}

torch::Tensor PatchLayerImpl::forward(const torch::Tensor& x) {
  return widens ? torch::conv_transpose2d(x, weight, bias) : torch::conv2d(x, weight, bias);
}

PatchAutoencoderImpl::PatchAutoencoderImpl(int64_t modalities) : modalities(modalities) {
  encode1 = register_module("encode1", PatchLayer(modalities, kPatchMaps, 3, false));
  encode2 = register_module("encode2", PatchLayer(kPatchMaps, kPatchMaps, 3, false));
  encode3 = register_module("encode3", PatchLayer(kPatchMaps, kPatchMaps, 3, false));
  decode1 = register_module("decode1", PatchLayer(kPatchMaps, kPatchMaps, 3, true));
  decode2 = register_module("decode2", PatchLayer(kPatchMaps, kPatchMaps, 3, true));
  decode3 = register_module("decode3", PatchLayer(kPatchMaps, kPatchMaps, 3, true));
  decode4 = register_module("decode4", PatchLayer(kPatchMaps, modalities, 2, true));
}

torch::Tensor PatchAutoencoderImpl::encode(const torch::Tensor& patches) {
  require(patches.dim() == 4 && patches.size(1) == modalities && patches.size(2) == kPatchSide &&
              patches.size(3) == kPatchSide,
          "patch auto-encoder: input is {}; expected [N,{},{},{}]", fmt::join(patches.sizes(), ","),
          modalities, kPatchSide, kPatchSide);
  auto x = torch::max_pool2d(torch::relu(encode1(patches)), 2);
  x = torch::relu(encode3(torch::relu(encode2(x))));
  return x.flatten(1);
}

torch::Tensor PatchAutoencoderImpl::decode(const torch::Tensor& latents) {
  auto x = latents.view({latents.size(0), kPatchMaps, 2, 2});
  x = torch::relu(decode2(torch::relu(decode1(x))));
  x = torch::upsample_nearest2d(x, torch::IntArrayRef{12, 12});
  return torch::sigmoid(decode4(torch::relu(decode3(x))));
}

SiameseLosses siamese_loss(PatchAutoencoder& network, const torch::Tensor& first,
                           const torch::Tensor& second, double alpha) {
  const auto both = torch::cat({first, second});
  const auto latents = network->encode(both);
  const auto halves = latents.chunk(2);
  SiameseLosses losses;
  losses.reconstruction = 2 * (network->decode(latents) - both).square().mean();
  losses.similarity = torch::cosine_similarity(halves[0], halves[1]).mean();
  losses.total = losses.reconstruction - alpha * losses.similarity;
  return losses;
}

}  // namespace scintigen
