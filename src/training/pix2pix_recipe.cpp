// SPDX-License-Identifier: Apache-2.0
#include "training/pix2pix_recipe.h"

#include <ATen/Parallel.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "cohort/paired_summary.h"
#include "cohort/people_split.h"
#include "core/error.h"
#include "core/progress.h"
#include "core/random.h"
#include "training/adam.h"
#include "training/named_tensors.h"
#include "training/paired_step.h"
#include "training/part_settings.h"
#include "training/rate_schedule.h"
#include "training/similarity_loss.h"

namespace scintigen {

void Pix2pixTraining::visit(SettingsVisitor& v) {
  data.visit(v);
  augment.visit(v);
  v.visit(
      number("hold_out", "people kept out of training for the evaluation (SPECT paper: 6)", 0, 1e6),
      hold_out);
  v.visit(text("held_out", "participant_id of the people to keep out, instead of hold_out"),
          held_out);
  v.visit(text("leave_out", "people for a test at the end: neither trained on nor evaluated"),
          leave_out);
  v.visit(number("batch_size", "slices a step (SPECT paper: 8)", 1, 4096), batch_size);
  v.visit(number("learning_rate", "of Adam (Isola 2017: 2e-4; SPECT paper: 1e-4)", 0, 1),
          learning_rate);
  v.visit(number("beta1", "of Adam (Isola 2017: 0.5)", 0, 0.9999), beta1);
  v.visit(number("beta2", "of Adam (Isola 2017: 0.999)", 0, 0.99999), beta2);
  v.visit(number("constant_epochs", "epochs at the full learning rate (public code: 100)", 0, 1e9),
          constant_epochs);
  v.visit(number("decay_epochs", "epochs in which it then falls to 0 (public code: 100); 0 = never",
                 0, 1e9),
          decay_epochs);
  v.visit(number("weight_l1", "of the mean absolute difference (Isola 2017: 100)", 0, 1e6),
          weight_l1);
  v.visit(number("weight_similarity", "of 1 - SSIM, Gaussian window (SPECT paper: with or without)",
                 0, 1e6),
          weight_similarity);
  v.visit(choice("adversarial", "loss of the discriminator's logits",
                 {"cross_entropy", "least_squares"}),
          adversarial);
  v.visit(number("discriminator_width", "channels after its first convolution (Isola 2017: 64)", 1,
                 512),
          discriminator_width);
  v.visit(number("average_decay",
                 "moving average of the generator's weights, which then translate; 0 = none", 0,
                 0.99999),
          average_decay);
  network.visit(v);
}

namespace {

const std::string kGeneratorOptimiser = "generator_optimiser.",
                  kDiscriminatorOptimiser = "discriminator_optimiser.";
constexpr int64_t kSheetSlices = 8;
constexpr int64_t kEvaluationBatch = 8;
constexpr int64_t kCalibrationBatches = 8;
constexpr double kRange = 2;  // of values in [-1,1]

int64_t levels_of(int64_t side) {
  int64_t levels = 0;
  while ((int64_t{1} << levels) < side) ++levels;
  require(int64_t{1} << levels == side && levels >= 5,
          "--side {}: expected a power of two from 32: 64, 128, 256, 512", side);
  return levels;
}

class Pix2pixRecipe : public Recipe {
 public:
  Pix2pixRecipe(const std::string& folder, Pix2pixTraining& settings,
                const DeviceSettings& device_settings, uint64_t seed)
      : seed_(seed), precision_(device_settings.precision), device_(use_device(device_settings)) {
    const auto cohort = read_volume_cohort(folder);
    name_ = cohort.name;
    space_ = cohort.space;
    settings.network.levels = levels_of(settings.data.side);
    settings.network.inputs = static_cast<int64_t>(settings.data.inputs.size());
    const auto people =
        split_people(cohort, settings.hold_out, settings.held_out, settings.leave_out, seed);
    settings_ = settings;
    training_ = std::make_unique<PairedSlices>(cohort, people.training, settings.data);
    held_out_ = std::make_unique<PairedSlices>(cohort, people.held_out, settings.data);
    require(training_->size() >= settings.batch_size,
            "{}: {} slices to train on; expected at least a batch of {}", folder, training_->size(),
            settings.batch_size);
    build(compute_type(device_settings));
  }

  std::string method() const override { return "pix2pix"; }
  int64_t steps_per_epoch() const override {
    return training_->steps_per_epoch(settings_.batch_size);
  }
  int64_t batch_size() const override { return settings_.batch_size; }

  void tell() const override {
    say(fmt::format("{} to {}, {} slices of {} people to train on, {} people held out ({})",
                    fmt::join(settings_.data.inputs, " and "), settings_.data.target,
                    training_->size(), training_->participants().size(),
                    held_out_->participants().size(), fmt::join(held_out_->participants(), ", ")));
  }

  Losses step(int64_t step) override {
    const double factor =
        rate_factor(step / steps_per_epoch(), settings_.constant_epochs, settings_.decay_epochs);
    generator_optimiser_->settings.rate = factor * settings_.learning_rate;
    discriminator_optimiser_->settings.rate = factor * settings_.learning_rate;
    const auto batch = augmented_batch(step);
    PairedStepOptions options;
    options.weight_l1 = settings_.weight_l1;
    options.weight_similarity = settings_.weight_similarity;
    options.least_squares = settings_.adversarial == "least_squares";
    const auto losses = paired_step(
        generator_, discriminator_, batch.inputs.to(device_), batch.targets.to(device_),
        stream_seed(seed_, "dropout", static_cast<uint64_t>(step)), options,
        [&](const auto& gradients) { discriminator_optimiser_->step(gradients); },
        [&](const auto& gradients) {
          generator_optimiser_->step(gradients, average_parameters_, settings_.average_decay);
        });
    Losses named = {{"real", losses.real},
                    {"fake", losses.fake},
                    {"adversarial", losses.adversarial},
                    {"l1", losses.l1}};
    if (losses.similarity.defined()) named.emplace_back("similarity", losses.similarity);
    return named;
  }

  NamedTensors state() override {
    NamedTensors tensors;
    collect(*generator_, "generator.", tensors);
    collect(*discriminator_, "discriminator.", tensors);
    if (average_) collect(*average_, "average.", tensors);
    for (const auto& [name, tensor] : generator_optimiser_->state())
      tensors[kGeneratorOptimiser + name] = tensor;
    for (const auto& [name, tensor] : discriminator_optimiser_->state())
      tensors[kDiscriminatorOptimiser + name] = tensor;
    for (const auto& [name, tensor] : summary().tensors()) tensors[name] = tensor;
    return tensors;
  }

  void load_state(const NamedTensors& state) override {
    const torch::NoGradGuard no_grad;
    NamedTensors live;
    collect(*generator_, "generator.", live);
    collect(*discriminator_, "discriminator.", live);
    if (average_) collect(*average_, "average.", live);
    for (auto& [name, tensor] : live) tensor.copy_(state.at(name));
    generator_optimiser_->load_state(below(state, kGeneratorOptimiser));
    discriminator_optimiser_->load_state(below(state, kDiscriminatorOptimiser));
  }

  void prepare_to_save() override {
    if (average_) calibrate_average();
  }

  std::map<std::string, std::string> metadata() override {
    PartSettings<Pix2pixTraining> all(settings_);
    auto training = settings_to_json(all);
    for (const char* names : {"held_out", "leave_out"}) training.erase(names);  // it may travel
    training["seed"] = seed_;
    training["precision"] = precision_;
    training["data"] = training_->key();
    const nlohmann::ordered_json cohort = {{"name", name_},
                                           {"space", space_},
                                           {"training_slices", training_->size()},
                                           {"training_patients", training_->participants().size()}};
    const nlohmann::ordered_json network = {{"inputs", settings_.network.inputs},
                                            {"outputs", settings_.network.outputs},
                                            {"width", settings_.network.width},
                                            {"levels", settings_.network.levels},
                                            {"dropout", settings_.network.dropout}};
    return {{"network", network.dump()},
            {"cohort", cohort.dump()},
            {"training", training.dump()},
            {"summary", summary().json()}};
  }

  Picture sample_sheet(int64_t step) override {
    if (average_) calibrate_average();
    const auto& shown = held_out_->size() > 0 ? *held_out_ : *training_;
    std::vector<int64_t> rows;
    for (int64_t k = 0; k < kSheetSlices; ++k)
      rows.push_back((2 * k + 1) * shown.size() / (2 * kSheetSlices));
    const auto batch = shown.gather(rows);
    const auto unit = [](const torch::Tensor& x) { return ((x.squeeze(1) + 1) / 2).clamp(0, 1); };
    std::vector<SheetRow> sheet;
    for (int64_t c = 0; c < batch.inputs.size(1); ++c)
      sheet.push_back(
          {settings_.data.inputs[static_cast<size_t>(c)], unit(batch.inputs.narrow(1, c, 1)), {}});
    sheet.push_back({"synthetic " + settings_.data.target, unit(translate(batch.inputs)), {}});
    sheet.push_back({"real " + settings_.data.target, unit(batch.targets), {}});
    return draw_sheet(fmt::format("pix2pix, step {}", step), sheet,
                      "synthetic rows are made by a network; not for diagnosis");
  }

  Scores evaluate() override {
    if (held_out_->size() == 0) return {};
    if (average_) calibrate_average();
    const auto [ssim, psnr, rmse, mae] =
        score_people([&](const auto& inputs, const auto&) { return translate(inputs); });
    Scores scores = {
        {"score", 1 - ssim}, {"ssim", ssim}, {"psnr", psnr}, {"rmse", rmse}, {"mae", mae}};
    if (baseline_scores_.empty())  // of the same people and slices, and always the same
      for (const auto& name : kBaselineNames) {
        const auto of = score_people([&](const auto& inputs, const auto& places) {
          return predict(summary().baselines, name, inputs, places);
        });
        baseline_scores_.emplace_back("ssim_" + name, of[0]);
        baseline_scores_.emplace_back("rmse_" + name, of[2]);
      }
    scores.insert(scores.end(), baseline_scores_.begin(), baseline_scores_.end());
    return scores;
  }

 private:
  void build(torch::ScalarType compute) {
    torch::manual_seed(stream_seed(seed_, "weights"));
    generator_ = UnetGenerator(settings_.network);
    PatchDiscriminatorSettings judge;
    judge.inputs = settings_.network.inputs + settings_.network.outputs;
    judge.width = settings_.discriminator_width;
    discriminator_ = PatchDiscriminator(judge);
    generator_->to(device_);
    discriminator_->to(device_);
    generator_->set_compute_type(compute);
    discriminator_->set_compute_type(compute);
    AdamSettings adam;
    adam.rate = settings_.learning_rate;
    adam.beta1 = settings_.beta1;
    adam.beta2 = settings_.beta2;
    generator_optimiser_ = std::make_unique<Adam>(named_parameters(*generator_), adam);
    discriminator_optimiser_ = std::make_unique<Adam>(named_parameters(*discriminator_), adam);
    if (settings_.average_decay > 0) begin_average(compute);
  }

  const PairedSummary& summary() {
    if (!summary_) summary_ = summarise(*training_);
    return *summary_;
  }

  /// SSIM, PSNR, RMSE, MAE of what `make`(inputs, places in the brain) makes of the people held
  /// out: means over slices within a person, then over people.
  template <class Make>
  std::array<double, 4> score_people(const Make& make) {
    const torch::NoGradGuard no_grad;
    const auto people = static_cast<int64_t>(held_out_->participants().size());
    auto similarity = torch::zeros({people}, torch::kDouble), square = similarity.clone(),
         absolute = similarity.clone();
    const int64_t steps = summary().baselines.level_mean.size(0);
    for (int64_t next = 0; next < held_out_->size();) {
      const auto index = held_out_->row(next).person;
      const auto& person = held_out_->people()[index];
      std::vector<int64_t> rows, places;
      for (; next < held_out_->size() && held_out_->row(next).person == index &&
             static_cast<int64_t>(rows.size()) < kEvaluationBatch;
           ++next) {
        rows.push_back(next);
        places.push_back(person.place_of(held_out_->row(next).slice, steps));
      }
      const auto batch = held_out_->gather(rows);
      const auto made = make(batch.inputs, places);
      const double part = static_cast<double>(rows.size()) / static_cast<double>(person.count);
      const auto at = static_cast<int64_t>(index);
      similarity[at] +=
          gaussian_similarity(made, batch.targets, kRange).template item<double>() * part;
      const auto difference = made - batch.targets;
      square[at] += difference.square().mean().template item<double>() * part;
      absolute[at] += difference.abs().mean().template item<double>() * part;
    }
    const auto psnr = 10 * torch::log10(kRange * kRange / square);
    return {similarity.mean().item<double>(), psnr.mean().item<double>(),
            square.sqrt().mean().item<double>(), absolute.mean().item<double>()};
  }

  void begin_average(torch::ScalarType compute) {
    average_ = UnetGenerator(settings_.network);
    average_->to(device_);
    average_->set_compute_type(compute);
    const torch::NoGradGuard no_grad;
    NamedTensors live, averaged;
    collect(*generator_, "", live);
    collect(*average_, "", averaged);
    for (auto& [name, tensor] : averaged) tensor.copy_(live.at(name));
    average_parameters_ = average_->parameters();
  }

  /// Running statistics of the averaged generator, as it translates (no dropout), from training
  /// slices: those gathered under the live weights do not fit it. A function of the state alone.
  void calibrate_average() {
    const torch::NoGradGuard no_grad;
    average_->eval();
    std::vector<BatchNormImpl*> norms;
    for (auto& module : average_->modules())
      if (auto* norm = module->as<BatchNormImpl>()) norms.push_back(norm);
    for (auto* norm : norms) norm->train();
    const int64_t count = kCalibrationBatches * settings_.batch_size;
    for (int64_t batch = 0; batch < kCalibrationBatches; ++batch) {
      // Momentum 1/k: the plain mean over the batches so far.
      for (auto* norm : norms) norm->momentum = 1.0 / static_cast<double>(batch + 1);
      std::vector<int64_t> rows;
      for (int64_t k = batch; k < count; k += kCalibrationBatches)
        rows.push_back(k * training_->size() / count);
      average_->forward(training_->gather(rows).inputs.to(device_));
    }
    average_->eval();
  }

  PairedBatch augmented_batch(int64_t step) const {
    auto batch = training_->batch(step, settings_.batch_size, seed_);
    const auto& augment = settings_.augment;
    if (augment.any())
      at::parallel_for(0, settings_.batch_size, 1, [&](int64_t begin, int64_t end) {
        for (int64_t n = begin; n < end; ++n)
          augment_pair(batch.inputs[n], batch.targets[n], augment, seed_,
                       static_cast<uint64_t>(step * settings_.batch_size + n));
      });
    return batch;
  }

  /// [N,C,S,S] -> [N,1,S,S], by running statistics and without dropout; by the averaged weights
  /// where there are such, calibrated before.
  torch::Tensor translate(const torch::Tensor& inputs) {
    const torch::NoGradGuard no_grad;
    auto& network = average_ ? average_ : generator_;
    network->eval();
    const auto made = network->forward(inputs.to(device_)).cpu();
    generator_->train();
    return made;
  }

  Pix2pixTraining settings_;
  uint64_t seed_;
  std::string precision_, name_, space_;
  torch::Device device_;
  std::unique_ptr<PairedSlices> training_, held_out_;
  std::optional<PairedSummary> summary_;  // made when it is first asked for
  Scores baseline_scores_;
  UnetGenerator generator_{nullptr}, average_{nullptr};
  std::vector<torch::Tensor> average_parameters_;
  PatchDiscriminator discriminator_{nullptr};
  std::unique_ptr<Adam> generator_optimiser_, discriminator_optimiser_;
};

}  // namespace

std::unique_ptr<Recipe> make_pix2pix_recipe(const std::string& cohort_folder,
                                            Pix2pixTraining& settings, const DeviceSettings& device,
                                            uint64_t seed) {
  return std::make_unique<Pix2pixRecipe>(cohort_folder, settings, device, seed);
}

}  // namespace scintigen
