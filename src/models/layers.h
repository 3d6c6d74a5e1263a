// SPDX-License-Identifier: Apache-2.0
// Building blocks of the networks: kernels with spectral norm, batch norm, gated and residual
// blocks. Does: hold parameters under the names of bench/reference/fastgan.py and say which
// arithmetic happens in which order. Does not: know images, conditions or losses. The arithmetic is
// done in the type of the activations (float32, bfloat16; float64 in tests); parameters stay as
// they are kept (float32), and statistics, gates and sums are float32 whatever the activations are.
#pragma once
#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>
#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "models/fused_layers.h"

namespace scintigen {

/// What all blocks of a network share.
struct LayerSettings {
  double leaky_slope = 0.1;
  double momentum = 0.1;  ///< batch norm: weight of the new batch in the running statistics
  double epsilon = 1e-5;  ///< batch norm: added to the variance
  bool spectral_norm = false;
};

/// What a kernel is for: decides which axis is the output's and the order of its weight in memory,
/// which is the one its arithmetic reads (the shape is torch.nn's): convolution O,k,k,I; tiled
/// (up-convolutions, 3x3, 4x4 of stride 2) I,k,k,O; transposed k,k,O,I; tiled_transposed O,k,k,I.
/// In three dimensions tiled kernels have the taps of depth before all that, the others the order
/// of their shape.
enum class KernelRole { convolution, tiled, transposed, tiled_transposed, linear };

/// Weight and bias of a convolution, transposed convolution or linear layer.
/// weight    as torch.nn shapes it: Conv2d [out,in,k,k], ConvTranspose2d [in,out,k,k], Linear
/// [out,in]; Conv3d and ConvTranspose3d one k more. Initial   glorot_uniform (TensorFlow 2.2's
/// default, used by the paper): U(-a,a), a = sqrt(6/(fan_in+fan_out)); bias 0 Spectral norm as
/// torch.nn.utils.spectral_norm (Miyato 2018): buffers weight_u, weight_v; one power iteration each
///           training forward; the weight used is weight / (u' W v).
struct KernelImpl : torch::nn::Module {
  KernelImpl(std::vector<int64_t> shape, bool with_bias, const LayerSettings& settings,
             KernelRole role = KernelRole::convolution);
  /// The weight to convolve with: `weight`, or with spectral norm weight / sigma.
  torch::Tensor effective_weight();
  /// Convolves x [N,in,H,W] or [N,in,D,H,W] (roles convolution and tiled).
  torch::Tensor convolve(const torch::Tensor& x, int64_t stride = 1, int64_t padding = 0);

  torch::Tensor weight, bias, weight_u,
      weight_v;  ///< bias undefined without, weight_* without spectral norm

 private:
  KernelRole role_;
};
TORCH_MODULE(Kernel);

/// Batch norm over N,H,W. Parameters and running statistics as torch.nn.BatchNorm2d (without
/// num_batches_tracked).
struct BatchNormImpl : torch::nn::Module {
  BatchNormImpl(int64_t channels, const LayerSettings& settings);
  NormState state() const;
  torch::Tensor weight, bias, running_mean, running_var;
  double momentum, epsilon;
};
TORCH_MODULE(BatchNorm);

/// The norm between a convolution and its activation: batch norm, instance norm without weights, or
/// none.
struct NormLayer {
  /// `norm`: batch or instance. throws  Error: another
  static NormLayer of(const std::string& norm, int64_t channels, const LayerSettings& settings);
  /// leaky_relu(norm(x + bias)) [+ residual]: x the convolution's result without its bias [C],
  /// which may be undefined; slope 1: no activation. residual not where there is no norm.
  torch::Tensor leaky(const torch::Tensor& x, const torch::Tensor& bias, double slope,
                      const torch::Tensor& residual = {}) const;

  BatchNorm batch{nullptr};  ///< null: not batch norm
  bool instance = false;
  double epsilon = 1e-5;
};

/// Convolution weights N(0, 0.02), batch norm weights N(1, 0.02), biases 0, as the reference starts
/// (Isola 2017, section 6.2). Draws from LibTorch's generator.
void initialise_normal(torch::nn::Module& module);

/// A plain child of `parent`, as nn.Sequential is one in the names of a state dict.
std::shared_ptr<torch::nn::Module> container(torch::nn::Module& parent, const std::string& name);

/// First block of the generator: x [N,in] -> transposed convolution 4x4 -> batch norm -> GLU ->
/// [N,out,4,4].
struct GatedInputBlockImpl : torch::nn::Module {
  GatedInputBlockImpl(int64_t in, int64_t out, const LayerSettings& settings);
  torch::Tensor forward(const torch::Tensor& x);
  Kernel conv;  ///< [in, 2 out, 4, 4]
  BatchNorm norm;
};
TORCH_MODULE(GatedInputBlock);

/// [N,in,H,W] -> nearest upsampling x2 -> conv 3x3 to 2 out -> batch norm -> GLU -> [N,out,2H,2W].
struct GatedUpBlockImpl : torch::nn::Module {
  GatedUpBlockImpl(int64_t in, int64_t out, const LayerSettings& settings);
  torch::Tensor forward(const torch::Tensor& x);
  Kernel conv;  ///< [2 out, in, 3, 3]
  BatchNorm norm;
};
TORCH_MODULE(GatedUpBlock);

/// Skip-layer excitation (Liu 2021; without pooling, Werner 2022 fig. 2): a 4x4 map gates the
/// channels of a fine one. coarse [N,Cc,4,4], fine [N,Cf,H,W] -> [N,Cf,H,W]
struct SkipLayerExcitationImpl : torch::nn::Module {
  SkipLayerExcitationImpl(int64_t coarse, int64_t hidden, int64_t fine,
                          const LayerSettings& settings);
  torch::Tensor forward(const torch::Tensor& coarse, const torch::Tensor& fine);
  Kernel squeeze, expand;  ///< 4x4 to `hidden`, 1x1 to `fine`
  double leaky_slope;
};
TORCH_MODULE(SkipLayerExcitation);

/// Down-sampling block: [conv 4x4 s2, BN, LReLU, conv 3x3, BN, LReLU] + [mean 2x2, conv 1x1, BN,
/// LReLU]. [N,in,H,W] -> [N,out,H/2,W/2]
struct DownBlockImpl : torch::nn::Module {
  DownBlockImpl(int64_t in, int64_t out, const LayerSettings& settings);
  torch::Tensor forward(const torch::Tensor& x);
  Kernel reduce, refine, direct;
  BatchNorm reduce_norm, refine_norm, direct_norm;
  double leaky_slope;
};
TORCH_MODULE(DownBlock);

/// Simple decoder: gated up blocks of `widths`, then conv 1x1 to one channel and tanh -> float32
/// [N,1,H*2^n,W*2^n].
struct DecoderImpl : torch::nn::Module {
  DecoderImpl(int64_t in, const std::vector<int64_t>& widths, const LayerSettings& settings);
  torch::Tensor forward(torch::Tensor x);
  std::vector<GatedUpBlock> up;  ///< up0, up1, ...
  Kernel image{nullptr};
};
TORCH_MODULE(Decoder);

/// Standard deviation over the batch of each feature and pixel (population, epsilon 1e-8 under the
/// root), averaged to one number, as one more channel: [N,C,H,W] -> [N,C+1,H,W].  Source  Karras et
/// al. 2018, section 3; group = whole batch.
torch::Tensor append_batch_deviation(const torch::Tensor& x);

}  // namespace scintigen
