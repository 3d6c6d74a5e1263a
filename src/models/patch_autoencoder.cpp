// SPDX-License-Identifier: Apache-2.0
#include "models/patch_autoencoder.h"

#include "core/error.h"

namespace scintigen {

namespace {
torch::nn::Conv2d narrowing(int64_t in) {
  return torch::nn::Conv2d(torch::nn::Conv2dOptions(in, kPatchMaps, 3));
}
torch::nn::ConvTranspose2d widening(int64_t out, int64_t side) {
  return torch::nn::ConvTranspose2d(torch::nn::ConvTranspose2dOptions(kPatchMaps, out, side));
}
}  // namespace

PatchAutoencoderImpl::PatchAutoencoderImpl(int64_t modalities) : modalities(modalities) {
  encode1 = register_module("encode1", narrowing(modalities));
  encode2 = register_module("encode2", narrowing(kPatchMaps));
  encode3 = register_module("encode3", narrowing(kPatchMaps));
  decode1 = register_module("decode1", widening(kPatchMaps, 3));
  decode2 = register_module("decode2", widening(kPatchMaps, 3));
  decode3 = register_module("decode3", widening(kPatchMaps, 3));
  decode4 = register_module("decode4", widening(modalities, 2));
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
