// SPDX-License-Identifier: Apache-2.0
// bench_patch_features FILE THREADS: our side of `bench/run patch-features`.
// FILE holds "weight.*" of the network and "slices" [S,M,H,W]. For each line on stdin:
//   dense    milliseconds for all patches' maps of all slices
//   patches  the same patch by patch with the network's own layers (LibTorch)
//   write F  latents of the dense encoder into the file F, float32 [S,H-14,W-14,64]
#include <ATen/Parallel.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>

#include "bench.h"
#include "core/error.h"
#include "core/safetensors.h"
#include "models/dense_patches.h"

namespace scintigen {
namespace {

constexpr int64_t kBatch = 4096;

void by_patches(PatchAutoencoder& network, const torch::Tensor& slices) {
  const torch::NoGradGuard no_grad;
  for (int64_t s = 0; s < slices.size(0); ++s) {
    const auto patches = slices[s].unfold(1, 15, 1).unfold(2, 15, 1).permute({1, 2, 0, 3, 4});
    const auto flat = patches.reshape({-1, slices.size(1), 15, 15});
    for (const auto& batch : flat.split(kBatch)) network->encode(batch);
  }
}

}  // namespace

int bench(const std::vector<std::string>& words) {
  if (words.size() != 3) throw Error("usage: bench_patch_features FILE THREADS");
  at::set_num_threads(std::stoi(words[2]));
  const auto file = read_tensors(words[1]);
  const auto slices = file.at("slices");
  PatchAutoencoder network(slices.size(1));
  {
    const torch::NoGradGuard no_grad;
    for (auto& entry : network->named_parameters())
      entry.value().copy_(file.at("weight." + entry.key()));
  }
  const DensePatchEncoder encoder(network);
  const auto pixels = slices.permute({0, 2, 3, 1}).contiguous();
  const int64_t height = slices.size(2), width = slices.size(3);
  auto maps =
      torch::empty({slices.size(0), height - kDenseMargin, width - kDenseMargin, kPatchMaps});
  for (std::string line; std::getline(std::cin, line);) {
    if (line.rfind("write ", 0) == 0) {
      const auto latents = dense_latents(encoder, slices).contiguous();
      std::ofstream out(line.substr(6), std::ios::binary);
      out.write(reinterpret_cast<const char*>(latents.data_ptr<float>()),
                static_cast<std::streamsize>(latents.numel() * 4));
      out.close();
      std::printf("0\n");
      std::fflush(stdout);
      continue;
    }
    const auto begin = std::chrono::steady_clock::now();
    if (line == "dense")
      at::parallel_for(0, slices.size(0), 1, [&](int64_t first, int64_t last) {
        for (int64_t s = first; s < last; ++s)
          encoder.encode(pixels.data_ptr<float>() + s * pixels.stride(0), height, width,
                         maps.data_ptr<float>() + s * maps.stride(0));
      });
    else
      by_patches(network, slices);
    std::printf("%.6g\n",
                std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin)
                    .count());
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace scintigen
