// SPDX-License-Identifier: Apache-2.0
#include "training/cycle_recipe.h"

#include <torch/torch.h>

#include <array>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "cohort/prefetch.h"
#include "core/error.h"
#include "core/progress.h"
#include "core/random.h"
#include "models/patch_discriminator.h"
#include "synthesis/translate.h"
#include "training/cycle_data.h"
#include "training/cycle_step.h"
#include "training/image_pool.h"
#include "training/named_tensors.h"
#include "training/part_settings.h"
#include "training/rate_schedule.h"
#include "training/similarity_loss.h"

namespace scintigen {

CycleTraining::CycleTraining() {
  data.target = "pet";
  data.slices = 0;
  data.side = 192;
  data.scale = "volume";
}

void CycleTraining::visit(SettingsVisitor& v) {
  data.visit(v);
  pieces.visit(v);
  v.visit(
      choice("method", "cycle: two generators that undo each other; simple: one, and no way back",
             {"cycle", "simple"}),
      method);
  v.visit(flag("unpaired", "draw inputs and targets each by itself, as if no person had both"),
          unpaired);
  v.visit(text("target_cohort",
               "prepared volumes to take the targets from, of other people; then --unpaired"),
          target_cohort);
  v.visit(number("hold_out",
                 "people kept out of training for the evaluation (Zotova 2021: 9 of 35); they need "
                 "the target",
                 0, 1e6),
          hold_out);
  v.visit(text("held_out", "participant_id of the people to keep out, instead of hold_out"),
          held_out);
  v.visit(text("leave_out", "people for a test at the end: neither trained on nor evaluated"),
          leave_out);
  v.visit(number("batch_size", "pieces a step (Zotova 2021: 5 triplets, 10 patches)", 1, 4096),
          batch_size);
  v.visit(number("learning_rate", "of Adam (Zotova 2021: 2e-4)", 0, 1), learning_rate);
  v.visit(number("beta1", "of Adam (public code: 0.5)", 0, 0.9999), beta1);
  v.visit(number("beta2", "of Adam (public code: 0.999)", 0, 0.99999), beta2);
  v.visit(number("constant_epochs", "epochs at the full learning rate (Zotova 2021: 100)", 0, 1e9),
          constant_epochs);
  v.visit(number("decay_epochs",
                 "epochs in which it then falls to 0 (Zotova 2021: 100 for triplets); 0 = never", 0,
                 1e9),
          decay_epochs);
  v.visit(number("weight_cycle",
                 "of the way there and back again, mean absolute difference "
                 "(public code: 10; the paper says none)",
                 0, 1e6),
          weight_cycle);
  v.visit(number("weight_identity",
                 "of leaving alone what is of the other domain already (public code: 5; not in the "
                 "paper's equations)",
                 0, 1e6),
          weight_identity);
  v.visit(number("weight_mse",
                 "of the mean squared difference of pairs, in (-1,1) (the paper says none; 0 = "
                 "without)",
                 0, 1e6),
          weight_mse);
  v.visit(number("pool", "earlier images that the discriminator is shown again (public code: 50)",
                 0, 1e5),
          pool);
  v.visit(number("discriminator_width", "channels after its first convolution (Zotova 2025: 64)", 1,
                 512),
          discriminator_width);
  v.visit(number("loader_threads", "that cut pieces while the network trains", 1, 64),
          loader_threads);
  network.visit(v);
}

namespace {

const std::string kGeneratorOptimiser = "generator_optimiser.",
                  kDiscriminatorOptimiser = "discriminator_optimiser.";
constexpr int64_t kSheetSlices = 8, kEvaluationBatch = 8, kBatchesAhead = 8;
constexpr double kRange = 2;  // of values in [-1,1]

using Clock = std::chrono::steady_clock;

class CycleRecipe : public Recipe {
 public:
  CycleRecipe(const std::string& folder, CycleTraining& settings,
              const DeviceSettings& device_settings, uint64_t seed)
      : seed_(seed), precision_(device_settings.precision), device_(use_device(device_settings)) {
    data_ = read_cycle_data(folder, settings, seed);
    settings.network.inputs = settings.network.outputs = settings.pieces.channels();
    settings.network.dimensions = settings.pieces.patches() ? 3 : 2;
    settings_ = settings;
    build(compute_type(device_settings));
    loader_ = std::make_unique<Prefetch<PieceBatch>>(
        [this](int64_t step) { return data_.pieces->batch(step, settings_.batch_size, seed_); },
        settings_.loader_threads, kBatchesAhead);
  }

  std::string method() const override { return "cyclegan"; }
  int64_t steps_per_epoch() const override {
    return data_.pieces->steps_per_epoch(settings_.batch_size);
  }
  int64_t batch_size() const override { return settings_.batch_size; }

  void tell() const override {
    const auto held_out = data_.held_out->participants();
    say(fmt::format("{} to {}, {} {} of {} and {} people{} to train on, {} people held out ({})",
                    settings_.data.inputs.front(), settings_.data.target, data_.pieces->size(),
                    settings_.pieces.pieces, data_.source_people, data_.target_people,
                    settings_.unpaired ? ", not paired," : "", held_out.size(),
                    fmt::join(held_out, ", ")));
  }

  Losses step(int64_t step) override {
    const double factor =
        rate_factor(step / steps_per_epoch(), settings_.constant_epochs, settings_.decay_epochs);
    for (auto* optimiser : {makers_.get(), judges_.get()})
      optimiser->settings.rate = factor * settings_.learning_rate;
    const auto batch = loader_->take(step);
    const double share = share_of_waiting();
    CycleStepOptions options;
    options.weight_cycle = settings_.weight_cycle;
    options.weight_identity = settings_.weight_identity;
    options.weight_mse = settings_.weight_mse;
    auto losses = cycle_step(
        networks_, batch.sources.to(device_), batch.targets.to(device_), options,
        [&](const torch::Tensor& made, bool of_target) {
          return (of_target ? target_pool_ : source_pool_)->exchange(made, step);
        },
        [&](const auto& gradients) { makers_->step(gradients); },
        [&](const auto& gradients) { judges_->step(gradients); });
    losses.emplace_back("loader_share",
                        torch::tensor(share, torch::TensorOptions(torch::kFloat).device(device_)));
    return losses;
  }

  NamedTensors state() override {
    auto tensors = live();
    for (const auto& [name, tensor] : makers_->state())
      tensors[kGeneratorOptimiser + name] = tensor;
    for (const auto& [name, tensor] : judges_->state())
      tensors[kDiscriminatorOptimiser + name] = tensor;
    for (const auto& [name, tensor] : summary().tensors()) tensors[name] = tensor;
    for (const auto& [prefix, pool] : pools())
      for (const auto& [name, tensor] : pool->state()) tensors[prefix + name] = tensor;
    return tensors;
  }

  void load_state(const NamedTensors& state) override {
    const torch::NoGradGuard no_grad;
    auto networks = live();
    for (auto& [name, tensor] : networks) tensor.copy_(state.at(name));
    makers_->load_state(below(state, kGeneratorOptimiser));
    judges_->load_state(below(state, kDiscriminatorOptimiser));
    for (const auto& [prefix, pool] : pools()) pool->load_state(below(state, prefix));
  }

  std::map<std::string, std::string> metadata() override {
    PartSettings<CycleTraining> all(settings_);
    auto training = settings_to_json(all);
    for (const char* name : {"held_out", "leave_out", "target_cohort", "loader_threads"})
      training.erase(name);  // it may travel, and threads change nothing
    training["seed"] = seed_;
    training["precision"] = precision_;
    training["data"] = data_.key;
    const nlohmann::ordered_json cohort = {{"name", data_.name},
                                           {"space", data_.space},
                                           {"training_pieces", data_.pieces->size()},
                                           {"training_patients", data_.source_people},
                                           {"target_patients", data_.target_people}};
    const auto& network = settings_.network;
    const nlohmann::ordered_json sizes = {{"inputs", network.inputs},
                                          {"outputs", network.outputs},
                                          {"width", network.width},
                                          {"blocks", network.blocks},
                                          {"norm", network.norm},
                                          {"padding", network.padding},
                                          {"dimensions", network.dimensions}};
    return {{"network", sizes.dump()},
            {"cohort", cohort.dump()},
            {"training", training.dump()},
            {"summary", summary().json()}};
  }

  Picture sample_sheet(int64_t step) override {
    std::vector<SheetRow> sheet;
    const auto title = fmt::format("{} GAN, step {}", settings_.method, step);
    const auto note = "synthetic rows are made by a network; not for diagnosis";
    if (data_.shown) {
      const auto& person = data_.shown->people().front();
      const auto row = [&](const std::string& label, const MappedVolume& volume) {
        std::vector<torch::Tensor> slices;
        for (int64_t n = 0; n < kSheetSlices; ++n)
          slices.push_back(scaled_slice(volume.voxels, person.plane_at(n, kSheetSlices),
                                        settings_.data.side, volume.low, volume.high)
                               .pixels);
        sheet.push_back({label, ((torch::stack(slices) + 1) / 2).clamp(0, 1), {}});
      };
      row(settings_.data.inputs.front(), person.inputs.front());
      // In [0,1]: what lies around a volume is 0.
      row("synthetic " + settings_.data.target, {(translate(person) + 1) / 2, 0, 1});
      row("real " + settings_.data.target, person.target);
    } else {  // nobody has both
      const auto batch = data_.pieces->gather({0}, {0});
      for (const auto& [label, piece] :
           {std::pair{settings_.data.inputs.front(), batch.sources[0]},
            std::pair{"synthetic " + settings_.data.target, make(batch.sources)[0]},
            std::pair{settings_.data.target, batch.targets[0]}}) {
        const auto planes = settings_.pieces.patches() ? piece[0] : piece;
        sheet.push_back({label, ((planes + 1) / 2).clamp(0, 1), {}});
      }
    }
    return draw_sheet(title, sheet, note);
  }

  /// Of whole volumes put together, as `translate` makes them without smoothing.
  Scores evaluate() override {
    if (data_.held_out->size() == 0) return {};
    const auto [ssim, psnr, rmse, mae] =
        score_people([&](const PairedPerson& person) { return translate(person); });
    Scores scores = {
        {"score", 1 - ssim}, {"ssim", ssim}, {"psnr", psnr}, {"rmse", rmse}, {"mae", mae}};
    if (baseline_scores_.empty())  // of the same people and slices, and always the same
      for (const auto& name : kBaselineNames) {
        const auto of = score_people([&](const PairedPerson& person) {
          return predict_volume(summary().baselines, name, person, chosen_planes(person),
                                settings_.data.side);
        });
        baseline_scores_.emplace_back("ssim_" + name, of[0]);
        baseline_scores_.emplace_back("rmse_" + name, of[2]);
      }
    scores.insert(scores.end(), baseline_scores_.begin(), baseline_scores_.end());
    return scores;
  }

 private:
  bool cycle() const { return settings_.method == "cycle"; }

  std::vector<std::pair<std::string, ImagePool*>> pools() const {
    std::vector<std::pair<std::string, ImagePool*>> all = {{"pool.", target_pool_.get()}};
    if (cycle()) all.emplace_back("source_pool.", source_pool_.get());
    return all;
  }

  /// Networks by the names of a checkpoint; what makes the target is `generator`, as in pix2pix.
  NamedTensors live() const {
    NamedTensors tensors;
    collect(*generator_, "generator.", tensors);
    collect(*discriminator_, "discriminator.", tensors);
    if (!cycle()) return tensors;
    collect(*source_generator_, "source_generator.", tensors);
    collect(*source_discriminator_, "source_discriminator.", tensors);
    return tensors;
  }

  template <class Network>
  void join(Network& network, torch::ScalarType compute, const std::string& prefix, StepNetwork& as,
            Adam::Named& optimised) {
    network->to(device_);
    network->set_compute_type(compute);
    as.forward = [network](const torch::Tensor& x) mutable { return network->forward(x); };
    for (auto& [name, parameter] : named_parameters(*network)) {
      as.parameters.push_back(parameter);
      optimised.emplace_back(prefix + name, parameter);
    }
  }

  void build(torch::ScalarType compute) {
    torch::manual_seed(stream_seed(seed_, "weights"));
    PatchDiscriminatorSettings judge;
    judge.inputs = settings_.network.outputs;
    judge.width = settings_.discriminator_width;
    judge.dimensions = settings_.network.dimensions;
    judge.norm = settings_.network.norm;
    Adam::Named makers, judges;
    generator_ = ResnetGenerator(settings_.network);
    discriminator_ = PatchDiscriminator(judge);
    join(generator_, compute, "target.", networks_.to_target, makers);
    join(discriminator_, compute, "target.", networks_.judge_target, judges);
    if (cycle()) {
      source_generator_ = ResnetGenerator(settings_.network);
      source_discriminator_ = PatchDiscriminator(judge);
      join(source_generator_, compute, "source.", networks_.to_source, makers);
      join(source_discriminator_, compute, "source.", networks_.judge_source, judges);
    }
    AdamSettings adam;
    adam.rate = settings_.learning_rate;
    adam.beta1 = settings_.beta1;
    adam.beta2 = settings_.beta2;
    makers_ = std::make_unique<Adam>(makers, adam);
    judges_ = std::make_unique<Adam>(judges, adam);
    const auto shape = data_.pieces->piece_shape();
    target_pool_ = std::make_unique<ImagePool>(settings_.pool, shape, device_, seed_, "target");
    source_pool_ = std::make_unique<ImagePool>(settings_.pool, shape, device_, seed_, "source");
  }

  /// Part of the time since the last batch came that was spent waiting for this one.
  double share_of_waiting() {
    const auto now = Clock::now();
    const double since = std::chrono::duration<double>(now - had_batch_).count();
    const bool first = had_batch_ == Clock::time_point();
    had_batch_ = now;
    return first ? 0 : loader_->waited_s() / since;
  }

  const PairedSummary& summary() {
    if (!summary_) summary_ = data_.summarise();
    return *summary_;
  }

  /// Pieces through the generator as it translates: by running statistics.
  torch::Tensor make(const torch::Tensor& pieces) {
    const torch::NoGradGuard no_grad;
    generator_->eval();
    const auto made = generator_->forward(pieces.to(device_)).cpu();
    generator_->train();
    return made;
  }

  static std::vector<int64_t> chosen_planes(const PairedPerson& person) {
    std::vector<int64_t> planes;
    for (int64_t k = 0; k < person.grid.nk; ++k)
      if (person.is_chosen(k)) planes.push_back(k);
    return planes;
  }

  /// A person's volume, [D,H,W] in [-1,1].
  torch::Tensor translate(const PairedPerson& person) {
    const auto tiling = make_tiling(person, settings_.data, settings_.pieces, chosen_planes(person),
                                    Overlap::kNone, 1);
    run_pieces(
        *tiling, [&](const auto& pieces, int64_t) { return make(pieces); }, kEvaluationBatch);
    return tiling->volume(0);
  }

  /// SSIM, PSNR, RMSE, MAE of what `make`(person) makes of the people held out: means over slices
  /// within a person, then over people.
  template <class Make>
  std::array<double, 4> score_people(const Make& make) {
    const torch::NoGradGuard no_grad;
    std::array<double, 4> sums{};
    const auto& people = data_.held_out->people();
    for (const auto& person : people) {
      const auto planes = chosen_planes(person);
      const auto part = [&](const torch::Tensor& volume) {
        return volume.slice(0, planes.front(), planes.back() + 1).unsqueeze(1);
      };
      const auto& target = person.target;
      const double factor = target.high > target.low ? 2 / (target.high - target.low) : 0;
      const auto real = part((target.voxels - target.low) * factor - 1), made = part(make(person));
      const auto difference = made - real;
      const double square = difference.square().mean(torch::kDouble).template item<double>();
      sums[0] += gaussian_similarity(made, real, kRange).template item<double>();
      sums[1] += 10 * std::log10(kRange * kRange / square);
      sums[2] += std::sqrt(square);
      sums[3] += difference.abs().mean(torch::kDouble).template item<double>();
    }
    for (double& sum : sums) sum /= static_cast<double>(people.size());
    return sums;
  }

  CycleTraining settings_;
  uint64_t seed_;
  std::string precision_;
  torch::Device device_;
  CycleData data_;
  std::optional<PairedSummary> summary_;  // made when it is first asked for
  Scores baseline_scores_;
  ResnetGenerator generator_{nullptr}, source_generator_{nullptr};
  PatchDiscriminator discriminator_{nullptr}, source_discriminator_{nullptr};
  CycleNetworks networks_;
  std::unique_ptr<Adam> makers_, judges_;
  std::unique_ptr<ImagePool> target_pool_, source_pool_;
  Clock::time_point had_batch_;
  std::unique_ptr<Prefetch<PieceBatch>> loader_;  // last: its threads read what stands above
};

}  // namespace

std::unique_ptr<Recipe> make_cycle_recipe(const std::string& cohort_folder, CycleTraining& settings,
                                          const DeviceSettings& device, uint64_t seed) {
  return std::make_unique<CycleRecipe>(cohort_folder, settings, device, seed);
}

}  // namespace scintigen
