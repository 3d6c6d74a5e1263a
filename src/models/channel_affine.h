// SPDX-License-Identifier: Apache-2.0
// What a norm does to a channel, y = scale x + shift, and what its gradient needs.
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <utility>

#include "models/channels_last.h"

namespace scintigen {

/// Per channel, float32, rows of one tensor [4,C]: mean used, 1 / deviation, and y = scale x +
/// shift.
struct Affine {
  explicit Affine(torch::Tensor saved) : rows(std::move(saved)) {}
  float* row(int64_t i) const { return rows.data_ptr<float>() + i * rows.size(1); }
  float* mean() const { return row(0); }
  float* inverse() const { return row(1); }
  float* scale() const { return row(2); }
  float* shift() const { return row(3); }
  torch::Tensor rows;
};

/// From sum = sum of gz and moment = sum of gz (x - mean): gradients of weight and bias, and gx = a
/// gz + b x + c.
struct NormGradient {
  NormGradient(const Affine& affine, int64_t total_rows, bool in_training)
      : sum(torch::empty({affine.rows.size(1)}, torch::kFloat)),
        moment(torch::empty_like(sum)),
        factors(torch::zeros({2, sum.size(0)}, torch::kFloat)),
        used(affine),
        rows(total_rows),
        training(in_training) {}
  void finish() {
    const int64_t channels = sum.size(0);
    auto *s = data<float>(sum), *m = data<float>(moment), *fb = b(), *fc = c();
    const auto n = static_cast<float>(rows);
    for (int64_t i = 0; i < channels; ++i) {
      m[i] *= used.inverse()[i];
      if (!training) continue;
      fb[i] = -used.scale()[i] * used.inverse()[i] * m[i] / n;
      fc[i] = -used.scale()[i] * s[i] / n - fb[i] * used.mean()[i];
    }
  }
  float* a() const { return used.scale(); }
  float* b() const { return data<float>(factors); }
  float* c() const { return data<float>(factors) + sum.size(0); }
  torch::Tensor sum, moment, factors;  // after finish(): gradient of bias, of weight
  Affine used;
  int64_t rows;
  bool training;
};

}  // namespace scintigen
