// SPDX-License-Identifier: Apache-2.0
// Adam in one pass over all parameters, with the moving average of the weights in the same pass.
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace scintigen {

struct AdamSettings {
  double rate = 2e-4;  ///< Werner 2022
  double beta1 = 0.9, beta2 = 0.999;
  double epsilon = 1e-8;  ///< PyTorch's; Keras (the paper's framework) has 1e-7
};

/// Adam (Kingma & Ba 2015) as torch.optim.Adam computes it: bias-corrected, epsilon outside the
/// root. The result does not depend on the number of threads. Checked tests/training/test_adam.cpp:
/// golden, 100 steps of torch.optim.Adam.
class Adam {
 public:
  using Named = std::vector<std::pair<std::string, torch::Tensor>>;

  /// Parameters are float32 (or float64), contiguous; they are changed in place.
  Adam(Named parameters, const AdamSettings& settings);

  /// gradients in the order of the parameters; an undefined one leaves its parameter alone.
  /// average: undefined or one tensor a parameter, becomes decay * average + (1 - decay) * new
  /// parameter. throws Error: count, shape or device differs.
  void step(const std::vector<torch::Tensor>& gradients,
            const std::vector<torch::Tensor>& average = {}, double decay = 0.999);

  /// "<parameter>.exp_avg", "<parameter>.exp_avg_sq" and "step".
  std::map<std::string, torch::Tensor> state() const;
  /// throws Error naming the tensor that is missing or has another shape.
  void load_state(const std::map<std::string, torch::Tensor>& state);

  int64_t steps() const { return step_; }
  AdamSettings settings;

 private:
  Named parameters_;
  std::vector<torch::Tensor> exp_avg_, exp_avg_sq_;
  int64_t step_ = 0;
};

/// Takes the gradients of a step, in the order of parameters().
using TakeGradients = std::function<void(const std::vector<torch::Tensor>&)>;

}  // namespace scintigen
