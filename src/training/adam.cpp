// SPDX-License-Identifier: Apache-2.0
#include "training/adam.h"

#include <ATen/Parallel.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace scintigen {
namespace {

/// The numbers of one step, the same for all parameters.
struct StepFactors {
  float beta1, beta2, rate, root_correction, epsilon, decay;
};

// The compiler makes one version for each instruction set.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define SCINTIGEN_CLONES \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define SCINTIGEN_CLONES
#endif

/// One run of elements. The order of operations within an element is fixed, so threads do not
/// matter.
SCINTIGEN_CLONES void update(float* parameter, const float* gradient, float* mean, float* square,
                             float* average, int64_t count, const StepFactors f) {
  for (int64_t i = 0; i < count; ++i) {
    const float g = gradient[i];
    const float m = mean[i] + (1 - f.beta1) * (g - mean[i]);
    const float v = square[i] * f.beta2 + (1 - f.beta2) * g * g;
    mean[i] = m;
    square[i] = v;
    parameter[i] -= f.rate * m / (std::sqrt(v) * f.root_correction + f.epsilon);
  }
  if (average == nullptr) return;
  for (int64_t i = 0; i < count; ++i) average[i] += (1 - f.decay) * (parameter[i] - average[i]);
}

bool one_pass(const torch::Tensor& x) {
  return x.is_cpu() && x.scalar_type() == torch::kFloat && x.is_non_overlapping_and_dense();
}

/// x with the memory order of `like`: parameters need not be contiguous (models/layers.h,
/// KernelRole).
torch::Tensor in_order_of(const torch::Tensor& like, const torch::Tensor& x) {
  if (x.strides() == like.strides() && x.scalar_type() == like.scalar_type()) return x;
  return torch::empty_like(like).copy_(x);
}

void update_with_tensors(torch::Tensor parameter, const torch::Tensor& gradient, torch::Tensor mean,
                         torch::Tensor square, torch::Tensor average, const StepFactors& f) {
  mean.lerp_(gradient, 1 - f.beta1);
  square.mul_(f.beta2).addcmul_(gradient, gradient, 1 - f.beta2);
  parameter.addcdiv_(mean, square.sqrt().mul_(f.root_correction).add_(f.epsilon), -f.rate);
  if (average.defined()) average.lerp_(parameter, 1 - f.decay);
}

}  // namespace

Adam::Adam(Named parameters, const AdamSettings& adam_settings)
    : settings(adam_settings), parameters_(std::move(parameters)) {
  for (const auto& [name, parameter] : parameters_) {
    require(parameter.is_non_overlapping_and_dense(), "Adam: {} has gaps or overlaps in memory",
            name);
    exp_avg_.push_back(torch::zeros_like(parameter).detach());
    exp_avg_sq_.push_back(torch::zeros_like(parameter).detach());
  }
}

void Adam::step(const std::vector<torch::Tensor>& gradients,
                const std::vector<torch::Tensor>& average, double decay) {
  torch::NoGradGuard no_grad;
  require(gradients.size() == parameters_.size(), "Adam: {} gradients for {} parameters",
          gradients.size(), parameters_.size());
  require(average.empty() || average.size() == parameters_.size(),
          "Adam: {} averages for {} parameters", average.size(), parameters_.size());
  ++step_;
  const double correction1 = 1 - std::pow(settings.beta1, static_cast<double>(step_));
  const double correction2 = 1 - std::pow(settings.beta2, static_cast<double>(step_));
  const StepFactors factors{static_cast<float>(settings.beta1),
                            static_cast<float>(settings.beta2),
                            static_cast<float>(settings.rate / correction1),
                            static_cast<float>(1 / std::sqrt(correction2)),
                            static_cast<float>(settings.epsilon),
                            static_cast<float>(decay)};
  // Runs of at most kRun elements; a thread takes runs, whichever parameter they belong to.
  constexpr int64_t kRun = 16384;
  struct Run {
    float *parameter, *mean, *square, *average;
    const float* gradient;
    int64_t count;
  };
  std::vector<Run> runs;
  std::vector<torch::Tensor> kept;  // copies live until the pass is over
  for (size_t i = 0; i < parameters_.size(); ++i) {
    if (!gradients[i].defined()) continue;
    auto& parameter = parameters_[i].second;
    require(
        gradients[i].sizes() == parameter.sizes() && gradients[i].device() == parameter.device(),
        "Adam: gradient of {} is {} on {}; expected {} on {}", parameters_[i].first,
        fmt::join(gradients[i].sizes(), "x"), gradients[i].device().str(),
        fmt::join(parameter.sizes(), "x"), parameter.device().str());
    const auto mean_weights = average.empty() ? torch::Tensor() : average[i];
    const bool fast = one_pass(parameter) &&
                      (!mean_weights.defined() ||
                       (one_pass(mean_weights) && mean_weights.strides() == parameter.strides()));
    if (!fast) {
      update_with_tensors(parameter, gradients[i].to(parameter.scalar_type()), exp_avg_[i],
                          exp_avg_sq_[i], mean_weights, factors);
      continue;
    }
    kept.push_back(in_order_of(parameter, gradients[i]));
    for (int64_t at = 0; at < parameter.numel(); at += kRun) {
      runs.push_back({parameter.data_ptr<float>() + at, exp_avg_[i].data_ptr<float>() + at,
                      exp_avg_sq_[i].data_ptr<float>() + at,
                      mean_weights.defined() ? mean_weights.data_ptr<float>() + at : nullptr,
                      kept.back().data_ptr<float>() + at, std::min(kRun, parameter.numel() - at)});
    }
  }
  at::parallel_for(0, static_cast<int64_t>(runs.size()), 4, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const auto& r = runs[static_cast<size_t>(i)];
      update(r.parameter, r.gradient, r.mean, r.square, r.average, r.count, factors);
    }
  });
}

std::map<std::string, torch::Tensor> Adam::state() const {
  std::map<std::string, torch::Tensor> state{{"step", torch::tensor(step_, torch::kLong)}};
  for (size_t i = 0; i < parameters_.size(); ++i) {
    state[parameters_[i].first + ".exp_avg"] = exp_avg_[i];
    state[parameters_[i].first + ".exp_avg_sq"] = exp_avg_sq_[i];
  }
  return state;
}

void Adam::load_state(const std::map<std::string, torch::Tensor>& state) {
  torch::NoGradGuard no_grad;
  const auto load = [&](const std::string& name, torch::Tensor& into) {
    const auto found = state.find(name);
    require(found != state.end(), "optimiser state: {} is missing", name);
    require(found->second.sizes() == into.sizes(), "optimiser state: {} is {}; expected {}", name,
            fmt::join(found->second.sizes(), "x"), fmt::join(into.sizes(), "x"));
    into.copy_(found->second);
  };
  for (size_t i = 0; i < parameters_.size(); ++i) {
    load(parameters_[i].first + ".exp_avg", exp_avg_[i]);
    load(parameters_[i].first + ".exp_avg_sq", exp_avg_sq_[i]);
  }
  auto step = torch::zeros({}, torch::kLong);
  load("step", step);
  step_ = step.item<int64_t>();
}

}  // namespace scintigen
