// SPDX-License-Identifier: Apache-2.0
// The patch auto-encoder against plain PyTorch (tools/make_golden_patch_autoencoder.py), and its
// dense encoder against patch by patch.
#include <gtest/gtest.h>

#include "core/random.h"
#include "core/safetensors.h"
#include "core/temporary_folder.h"
#include "models/dense_patches.h"
#include "models/patch_autoencoder.h"

namespace scintigen {
namespace {

TensorFile golden() {
  return read_tensors(std::string(SCINTIGEN_TEST_GOLDEN) + "/models/patch_autoencoder.safetensors");
}

void load(torch::nn::Module& module, const TensorFile& file) {
  const torch::NoGradGuard no_grad;
  for (auto& entry : module.named_parameters())
    entry.value().copy_(file.at("weight." + entry.key()));
}

double error_of(const torch::Tensor& found, const torch::Tensor& expected) {
  EXPECT_EQ(found.sizes(), expected.sizes());
  const auto difference = (found.to(torch::kDouble) - expected.to(torch::kDouble)).abs().max();
  return (difference / expected.to(torch::kDouble).abs().max().clamp_min(1e-12)).item<double>();
}

TEST(PatchAutoencoder, ForwardLossAndGradientsEqualPlainPyTorch) {
  const auto file = golden();
  PatchAutoencoder network(2);
  load(*network, file);
  network->to(torch::kDouble);
  const auto first = file.at("first").to(torch::kDouble),
             second = file.at("second").to(torch::kDouble);
  const auto latents = network->encode(first);
  EXPECT_EQ(latents.size(1), kPatchLatents);
  EXPECT_LT(error_of(latents, file.at("latents")), 1e-5);
  EXPECT_LT(error_of(network->decode(latents), file.at("decoded")), 1e-5);
  const auto losses = siamese_loss(network, first, second, 0.5);
  EXPECT_LT(error_of(losses.total.view({1}), file.at("loss")), 1e-5);
  losses.total.backward();
  for (const auto& entry : network->named_parameters())
    EXPECT_LT(error_of(entry.value().grad(), file.at("gradient." + entry.key())), 1e-5)
        << entry.key();
}

TEST(PatchAutoencoder, RefusesOtherShapes) {
  PatchAutoencoder network(1);
  EXPECT_REFUSED(network->encode(torch::zeros({3, 2, 15, 15})),
                 "patch auto-encoder: input is 3,2,15,15; expected [N,1,15,15]");
  EXPECT_REFUSED(
      dense_latents(DensePatchEncoder(network), torch::zeros({1, 1, 14, 20})),
      "patch features: slices are 1,1,14,20; expected [S,1,H,W] with sides of at least 15");
}

/// Sides of either parity: a patch's maximum begins at its own corner.
TEST(DensePatches, EqualPatchByPatch) {
  const torch::NoGradGuard no_grad;
  for (const int64_t modalities : {1, 2, 3})
    for (const auto& [height, width] :
         {std::pair<int64_t, int64_t>{15, 15}, {16, 19}, {31, 24}, {40, 57}}) {
      torch::manual_seed(width);
      PatchAutoencoder network(modalities);
      const auto slices = Random(static_cast<uint64_t>(height), "slices")
                              .uniform_tensor({2, modalities, height, width});
      const auto dense = dense_latents(DensePatchEncoder(network), slices);
      const int64_t rows = height - 14, columns = width - 14;
      const auto patches = slices.unfold(2, 15, 1).unfold(3, 15, 1).permute({0, 2, 3, 1, 4, 5});
      const auto expected = network->encode(patches.reshape({-1, modalities, 15, 15}))
                                .view({2, rows, columns, kPatchLatents});
      EXPECT_LT(error_of(dense, expected), 1e-5) << modalities << " " << height << " " << width;
    }
}

}  // namespace
}  // namespace scintigen
