// SPDX-License-Identifier: Apache-2.0
#include "training/adversarial_loss.h"

#include <torch/torch.h>

namespace scintigen {

torch::Tensor judged_as(const torch::Tensor& logits, bool real, bool least_squares) {
  const double target = real ? 1 : 0;
  if (least_squares) return (logits - target).square().mean();
  // -log sigmoid(x) for real, -log(1 - sigmoid(x)) for not.
  return torch::softplus(real ? -logits : logits).mean();
}

}  // namespace scintigen
