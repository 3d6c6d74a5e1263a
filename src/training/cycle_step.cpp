// SPDX-License-Identifier: Apache-2.0
#include "training/cycle_step.h"

#include <torch/autograd.h>
#include <torch/torch.h>

#include "training/adversarial_loss.h"

namespace scintigen {
namespace {

constexpr bool kLeastSquares = true;

torch::Tensor mean_distance(const torch::Tensor& a, const torch::Tensor& b) {
  return (a - b).abs().mean();
}

std::vector<torch::Tensor> joined(const std::vector<torch::Tensor>& a,
                                  const std::vector<torch::Tensor>& b) {
  auto both = a;
  both.insert(both.end(), b.begin(), b.end());
  return both;
}

/// A generator's loss, term by term.
class Objective {
 public:
  void add(const std::string& name, const torch::Tensor& term, double weight = 1) {
    total_ = total_.defined() ? total_ + weight * term : weight * term;
    losses_.emplace_back(name, term.detach());
  }
  const torch::Tensor& total() const { return total_; }
  const Losses& losses() const { return losses_; }

 private:
  torch::Tensor total_;
  Losses losses_;
};

/// Half of what judging `real` and `shown` costs, and its gradients.
std::vector<torch::Tensor> judge(const StepNetwork& judge, const torch::Tensor& real,
                                 const torch::Tensor& shown, const std::string& suffix,
                                 Losses& losses) {
  const auto of_real = judged_as(judge.forward(real), true, kLeastSquares);
  const auto of_fake = judged_as(judge.forward(shown), false, kLeastSquares);
  losses.emplace_back("real" + suffix, of_real.detach());
  losses.emplace_back("fake" + suffix, of_fake.detach());
  return torch::autograd::grad({0.5 * (of_real + of_fake)}, judge.parameters);
}

}  // namespace

Losses cycle_step(const CycleNetworks& networks, const torch::Tensor& source,
                  const torch::Tensor& target, const CycleStepOptions& options,
                  const ShowInstead& show, const TakeGradients& update_generators,
                  const TakeGradients& update_discriminators) {
  const auto &to_target = networks.to_target, &to_source = networks.to_source;
  const bool cycle = networks.cycle(), identity = cycle && options.weight_identity > 0;
  // In the public code's order: running statistics of batch norm depend on it.
  const auto made_target = to_target.forward(source);
  torch::Tensor made_source, source_again, target_again, same_target, same_source;
  if (cycle) {
    source_again = to_source.forward(made_target);
    made_source = to_source.forward(target);
    target_again = to_target.forward(made_source);
  }
  if (identity) {
    same_target = to_target.forward(target);
    same_source = to_source.forward(source);
  }

  Objective objective;
  objective.add("adversarial",
                judged_as(networks.judge_target.forward(made_target), true, kLeastSquares));
  if (cycle) {
    objective.add("adversarial_source",
                  judged_as(networks.judge_source.forward(made_source), true, kLeastSquares));
    objective.add("cycle", mean_distance(source_again, source), options.weight_cycle);
    objective.add("cycle_target", mean_distance(target_again, target), options.weight_cycle);
  }
  if (identity) {
    objective.add("identity", mean_distance(same_target, target), options.weight_identity);
    objective.add("identity_source", mean_distance(same_source, source), options.weight_identity);
  }
  if (options.weight_mse > 0) {
    objective.add("mse", (made_target - target).square().mean(), options.weight_mse);
    if (cycle)
      objective.add("mse_source", (made_source - source).square().mean(), options.weight_mse);
  }
  update_generators(torch::autograd::grad({objective.total()},
                                          joined(to_target.parameters, to_source.parameters)));

  Losses losses;
  auto gradients =
      judge(networks.judge_target, target, show(made_target.detach(), true), "", losses);
  if (cycle)
    gradients = joined(gradients, judge(networks.judge_source, source,
                                        show(made_source.detach(), false), "_source", losses));
  update_discriminators(gradients);
  losses.insert(losses.end(), objective.losses().begin(), objective.losses().end());
  return losses;
}

}  // namespace scintigen
