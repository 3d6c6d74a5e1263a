// SPDX-License-Identifier: Apache-2.0
#include "models/fastgan.h"

#include <torch/torch.h>

#include "core/error.h"

namespace scintigen {
namespace {

LayerSettings layer_settings(const FastganSettings& settings) {
  return {settings.leaky_slope, settings.batch_norm_momentum, settings.batch_norm_epsilon,
          settings.spectral_norm};
}

const FastganSettings& checked(const FastganSettings& settings) {
  require(settings.generator_widths.size() == 5,
          "generator_widths: {} values; expected 5 (channels at 4, 8, 16, 32 and 64 pixels)",
          settings.generator_widths.size());
  require(settings.discriminator_widths.size() == 5,
          "discriminator_widths: {} values; expected 5 (two input convolutions, three down blocks)",
          settings.discriminator_widths.size());
  require(settings.decoder_width % 4 == 0 && settings.decoder_width > 0,
          "decoder_width: {}; expected a positive multiple of 4 (it halves twice)",
          settings.decoder_width);
  for (const auto& widths : {settings.generator_widths, settings.discriminator_widths}) {
    for (const auto width : widths) {
      require(width >= 1 && width <= 8192,
              "generator_widths, discriminator_widths: {}; expected 1..8192", width);
    }
  }
  return settings;
}

void check_images(const torch::Tensor& image, const torch::Tensor& y, int64_t conditions) {
  require(image.dim() == 4 && image.size(1) == 1 && image.size(2) == 64 && image.size(3) == 64,
          "discriminator: images are {}; expected [N,1,64,64]", fmt::join(image.sizes(), "x"));
  require(y.dim() == 2 && y.size(0) == image.size(0) && y.size(1) == conditions,
          "discriminator: conditions are {}; expected {}x{}", fmt::join(y.sizes(), "x"),
          image.size(0), conditions);
}

constexpr int64_t kNoiseElements = 16 * 16 + 32 * 32 + 64 * 64;

torch::Tensor crop_map(const torch::Tensor& map, int64_t row, int64_t column) {
  require(row >= 0 && row <= 8 && column >= 0 && column <= 8,
          "discriminator: crop at {},{}; expected 0..8", row, column);
  return map.slice(2, row, row + 8).slice(3, column, column + 8);
}

/// Images in [-1,1], -1 without counts, the largest pixel of each made 1.
torch::Tensor with_unit_maximum(const torch::Tensor& image) {
  const auto counts = image + 1;
  return 2 * counts / counts.amax({1, 2, 3}, /*keepdim=*/true).clamp_min(1e-6) - 1;
}

}  // namespace

void FastganSettings::visit(SettingsVisitor& v) {
  v.visit(number("latent", "elements of the latent vector (Werner 2022)", 1, 4096), latent);
  v.visit(number("embedding", "neurons of the fully connected layer (Werner 2022)", 1, 4096),
          embedding);
  v.visit(number("generator_widths", "channels at 4, 8, 16, 32, 64 pixels (half of FastGAN's)", 1,
                 8192),
          generator_widths);
  v.visit(
      number("excitation_width", "hidden channels of the skip-layer excitation 4 -> 64", 1, 4096),
      excitation_width);
  v.visit(number("discriminator_widths",
                 "channels of the two input convolutions and three down blocks", 1, 8192),
          discriminator_widths);
  v.visit(number("decoder_width", "channels of the whole-image decoder's first block; halves twice",
                 4, 4096),
          decoder_width);
  v.visit(number("leaky_slope", "slope of LeakyReLU below zero (Koshino 2020 code)", 0, 1),
          leaky_slope);
  v.visit(flag("spectral_norm", "divide each weight by its largest singular value (Miyato 2018)"),
          spectral_norm);
  v.visit(
      flag("minibatch_deviation", "standard deviation over the batch as a channel (Karras 2018)"),
      minibatch_deviation);
  v.visit(
      flag("noise_maps",
           "noise of each image's own on the generator's maps at 16, 32 and 64 pixels, by learnt "
           "weights (FastGAN code; Karras 2019)"),
      noise_maps);
  v.visit(flag("unit_maximum",
               "divide each generated image by its maximum, as the training slices are"),
          unit_maximum);
  v.visit(number("batch_norm_momentum", "weight of the new batch; Keras' .99 is 0.01 here", 0, 1),
          batch_norm_momentum);
  v.visit(number("batch_norm_epsilon", "added to the variance; Keras 1e-3, PyTorch 1e-5", 1e-12, 1),
          batch_norm_epsilon);
}

FastganGeneratorImpl::FastganGeneratorImpl(const FastganSettings& settings, int64_t conditions)
    : latent_(checked(settings).latent),
      conditions_(conditions),
      unit_maximum_(settings.unit_maximum),
      noise_maps_(settings.noise_maps) {
  const auto layers = layer_settings(settings);
  const auto& width = settings.generator_widths;
  embed = register_module(
      "embed", Kernel(std::vector<int64_t>{settings.embedding, settings.latent + conditions}, true,
                      layers, KernelRole::linear));
  input = register_module("input", GatedInputBlock(settings.embedding, width[0], layers));
  up8 = register_module("up8", GatedUpBlock(width[0], width[1], layers));
  up16 = register_module("up16", GatedUpBlock(width[1], width[2], layers));
  up32 = register_module("up32", GatedUpBlock(width[2], width[3], layers));
  up64 = register_module("up64", GatedUpBlock(width[3], width[4], layers));
  excitation = register_module(
      "excitation", SkipLayerExcitation(width[0], settings.excitation_width, width[4], layers));
  output = register_module("output", Kernel(std::vector<int64_t>{1, width[4], 3, 3}, true, layers));
  if (noise_maps_) {
    noise16 = register_parameter("noise16", torch::zeros({1, width[2], 1, 1}));
    noise32 = register_parameter("noise32", torch::zeros({1, width[3], 1, 1}));
    noise64 = register_parameter("noise64", torch::zeros({1, width[4], 1, 1}));
  }
}

torch::Tensor FastganGeneratorImpl::forward(const torch::Tensor& z, const torch::Tensor& y) {
  const int64_t elements = latent_ + (noise_maps_ ? kNoiseElements : 0);
  require(z.dim() == 2 && z.size(1) == elements, "generator: latents are {}; expected Nx{}",
          fmt::join(z.sizes(), "x"), elements);
  require(y.dim() == 2 && y.size(0) == z.size(0) && y.size(1) == conditions_,
          "generator: conditions are {}; expected {}x{}", fmt::join(y.sizes(), "x"), z.size(0),
          conditions_);
  int64_t used = latent_;
  // Adds the next noise map of z, `side` pixels wide, to the maps x.
  const auto with_noise = [&](const torch::Tensor& x, const torch::Tensor& weight, int64_t side) {
    if (!noise_maps_) return x;
    const auto noise = z.narrow(1, used, side * side).reshape({-1, 1, side, side});
    used += side * side;
    return x + (weight * noise).to(x.scalar_type());
  };
  const auto embedded = torch::linear(torch::cat({z.narrow(1, 0, latent_), y}, 1),
                                      embed->effective_weight(), embed->bias);  // [N,64]
  const auto coarse = input->forward(embedded.to(compute_type_));               // [N,512,4,4]
  auto x = up8->forward(coarse);                                                // [N,256,8,8]
  x = with_noise(up16->forward(x), noise16, 16);                                // [N,128,16,16]
  x = with_noise(up32->forward(x), noise32, 32);                                // [N,64,32,32]
  x = with_noise(up64->forward(x), noise64, 64);                                // [N,32,64,64]
  x = excitation->forward(coarse, x);
  const auto image = torch::tanh(output->convolve(x, 1, 1).to(z.scalar_type()));  // [N,1,64,64]
  return unit_maximum_ ? with_unit_maximum(image) : image;
}

FastganDiscriminatorImpl::FastganDiscriminatorImpl(const FastganSettings& settings,
                                                   int64_t conditions)
    : leaky_slope_(checked(settings).leaky_slope),
      minibatch_deviation_(settings.minibatch_deviation),
      conditions_(conditions) {
  const auto layers = layer_settings(settings);
  const auto& width = settings.discriminator_widths;
  const auto kernel = [&](int64_t out, int64_t in, int64_t side, bool bias) {
    return Kernel(std::vector<int64_t>{out, in, side, side}, bias, layers);
  };
  input0 = register_module("input0", kernel(width[0], 1 + conditions, 4, true));
  input1 = register_module("input1", kernel(width[1], width[0], 4, false));
  input1_norm = register_module("input1_norm", BatchNorm(width[1], layers));
  down32 = register_module("down32", DownBlock(width[1], width[2], layers));
  down16 = register_module("down16", DownBlock(width[2], width[3], layers));
  down8 = register_module("down8", DownBlock(width[3], width[4], layers));
  const int64_t judged = width[4] / 2;
  const int64_t seen = width[4] + (settings.minibatch_deviation ? 1 : 0);
  output0 = register_module("output0", kernel(judged, seen, 1, false));
  output0_norm = register_module("output0_norm", BatchNorm(judged, layers));
  output1 = register_module("output1", kernel(1, judged, 4, true));
  const int64_t wide = settings.decoder_width;
  whole = register_module(
      "whole", Decoder(width[4], std::vector<int64_t>{wide, wide / 2, wide / 4}, layers));
  part =
      register_module("part", Decoder(width[3], std::vector<int64_t>{wide / 2, wide / 4}, layers));
}

FastganDiscriminatorImpl::Features FastganDiscriminatorImpl::features(const torch::Tensor& image,
                                                                      const torch::Tensor& y) {
  check_images(image, y, conditions_);
  const auto planes = y.to(image.scalar_type()).view({y.size(0), y.size(1), 1, 1});
  auto x = torch::cat({image, planes.expand({-1, -1, 64, 64})}, 1)
               .to(compute_type_)
               .contiguous(torch::MemoryFormat::ChannelsLast);
  // "same" for an even kernel at stride 1 pads 1 before and 2 after (Keras).
  const auto same = [](const torch::Tensor& map) {
    return torch::constant_pad_nd(map, {1, 2, 1, 2});
  };
  x = torch::leaky_relu(input0->convolve(same(x)), leaky_slope_);
  x = norm_leaky(input1->convolve(same(x)), input1_norm->state(), leaky_slope_);  // [N,32,64,64]
  x = down32->forward(x);                                                         // [N,64,32,32]
  const auto middle = down16->forward(x);                                         // [N,128,16,16]
  return {middle, down8->forward(middle)};                                        // [N,256,8,8]
}

torch::Tensor FastganDiscriminatorImpl::logits(const torch::Tensor& coarse,
                                               const std::vector<int64_t>& batches) {
  auto x = coarse;
  if (minibatch_deviation_) {
    std::vector<torch::Tensor> parts;
    for (const auto& part : coarse.split_with_sizes(batches))
      parts.push_back(append_batch_deviation(part));
    x = parts.size() == 1 ? parts.front() : torch::cat(parts);
  }
  x = norm_leaky(output0->convolve(x), output0_norm->state(), leaky_slope_);
  x = output1->convolve(x);
  return x.to(output1->bias.scalar_type());
}

torch::Tensor FastganDiscriminatorImpl::forward(const torch::Tensor& image,
                                                const torch::Tensor& y) {
  return logits(features(image, y).coarse, {image.size(0)});
}

FastganJudgement FastganDiscriminatorImpl::judge_and_reconstruct(const torch::Tensor& image,
                                                                 const torch::Tensor& y,
                                                                 int64_t crop_row,
                                                                 int64_t crop_column) {
  const auto seen = features(image, y);
  return {logits(seen.coarse, {image.size(0)}),
          part->forward(crop_map(seen.middle, crop_row, crop_column)), whole->forward(seen.coarse)};
}

FastganDiscriminatorImpl::Both FastganDiscriminatorImpl::judge_together(
    const torch::Tensor& real, const torch::Tensor& real_y, const torch::Tensor& generated,
    const torch::Tensor& generated_y, int64_t crop_row, int64_t crop_column) {
  const int64_t reals = real.size(0), rest = generated.size(0);
  const auto seen = features(torch::cat({real, generated}), torch::cat({real_y, generated_y}));
  const auto all = logits(seen.coarse, {reals, rest});
  const auto middle = seen.middle.narrow(0, 0, reals);
  return {{all.narrow(0, 0, reals), part->forward(crop_map(middle, crop_row, crop_column)),
           whole->forward(seen.coarse.narrow(0, 0, reals))},
          all.narrow(0, reals, rest)};
}

torch::Tensor crop_part(const torch::Tensor& image, int64_t crop_row, int64_t crop_column) {
  return image.slice(2, 4 * crop_row, 4 * crop_row + 32)
      .slice(3, 4 * crop_column, 4 * crop_column + 32);
}

}  // namespace scintigen
