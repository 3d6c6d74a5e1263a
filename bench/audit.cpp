// SPDX-License-Identifier: Apache-2.0
// bench_audit THREADS ROUNDS: the copy audit of 1000 synthetic against 1000 training slices of
// 64 x 64, with 250 held out, over flips and shifts of up to 2 pixels. No reference: prints its own
// last line.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "bench.h"
#include "core/random.h"
#include "metrics/copy_audit.h"

namespace scintigen {
namespace {

torch::Tensor slices(uint64_t seed, int64_t count) {
  const auto noise = Random(seed, "slices").uniform_tensor({count, 1, 64, 64});
  const auto smooth = at::avg_pool2d(noise, 7, 1, 3).squeeze(1);
  return smooth / smooth.amax({1, 2}, true);
}

}  // namespace

int bench(const std::vector<std::string>& words) {
  if (words.size() != 3) throw std::runtime_error("usage: bench_audit THREADS ROUNDS");
  at::set_num_threads(std::stoi(words[1]));
  const auto synthetic = slices(1, 1000), training = slices(2, 1000), held_out = slices(3, 250);
  std::vector<double> seconds;
  for (int round = 0; round < std::stoi(words[2]); ++round) {
    const auto begin = std::chrono::steady_clock::now();
    audit_copies(synthetic, training, held_out);
    seconds.push_back(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    std::printf("%.2f s\n", seconds.back());
    std::fflush(stdout);
  }
  std::sort(seconds.begin(), seconds.end());
  std::printf("audit median_s=%.2f threads=%s slices=1000x1000\n", seconds[seconds.size() / 2],
              words[1].c_str());
  return 0;
}

}  // namespace scintigen
