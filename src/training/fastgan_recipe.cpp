// SPDX-License-Identifier: Apache-2.0
#include "training/fastgan_recipe.h"

#include <torch/torch.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/progress.h"
#include "core/random.h"
#include "metrics/slice_scores.h"
#include "training/adam.h"
#include "training/fastgan_step.h"
#include "training/named_tensors.h"

namespace scintigen {

void FastganTraining::visit(SettingsVisitor& v) {
  v.visit(
      text("condition", "columns of the slice table that condition the images, e.g. level,pattern"),
      condition);
  v.visit(text("where", "rows to use, e.g. \"level=cortex;pattern=normal,unilateral\""), where);
  v.visit(number("hold_out", "patients kept out of training for the evaluation", 0, 1e6), hold_out);
  v.visit(text("held_out", "participant_id of the patients to keep out, instead of hold_out"),
          held_out);
  v.visit(number("batch_size", "real slices and generated slices a step (Werner 2022: 4)", 1, 4096),
          batch_size);
  v.visit(choice("balance",
                 "draw slices as they come, or classes, or patients within classes, equally often",
                 {"none", "class", "patient"}),
          balance);
  v.visit(number("learning_rate", "of Adam (Werner 2022: 2e-4)", 0, 1), learning_rate);
  v.visit(number("discriminator_learning_rate",
                 "of the discriminator's Adam; 0 = learning_rate (Heusel 2017 uses two)", 0, 1),
          discriminator_learning_rate);
  v.visit(number("beta1", "of Adam (Werner 2022: 0.9)", 0, 0.9999), beta1);
  v.visit(number("beta2", "of Adam (Werner 2022: 0.999)", 0, 0.99999), beta2);
  v.visit(number("adam_epsilon", "of Adam (Keras' default 1e-7)", 1e-12, 1), adam_epsilon);
  v.visit(number("average_decay",
                 "moving average of the generator's weights (FastGAN code: 0.999); 0 = none", 0,
                 0.999999),
          average_decay);
  v.visit(number("reconstruction_weight",
                 "of equation 4 in the discriminator's loss (Werner 2022: 1)", 0, 1000),
          reconstruction_weight);
  v.visit(number("margin_minimum",
                 "hinge margins drawn from [m,1] (FastGAN code: 0.8); 1 = equations 2 and 3", 0, 1),
          margin_minimum);
  v.visit(flag("joint_batch_norm",
               "the discriminator's batch statistics over real and generated slices together: it "
               "then sees brightness"),
          joint_batch_norm);
  v.visit(number("translate_px",
                 "differentiable translation before the discriminator, pixels (Zhao 2020: 1/8 of "
                 "the side); 0 = none",
                 0, 32),
          translate_px);
  v.visit(number("evaluation_images", "synthetic slices an evaluation makes", 16, 100000),
          evaluation_images);
  network.visit(v);
  augment.visit(v);
}

namespace {

constexpr int64_t kSide = 64;
constexpr int64_t kSheetColumns = 8;
constexpr int64_t kFewestHeldOut = 4;  // what SliceScorer takes
const std::string kGeneratorOptimiser = "generator_optimiser.",
                  kDiscriminatorOptimiser = "discriminator_optimiser.";
constexpr int64_t kCalibrationBatches = 8, kCalibrationBatch = 64;

/// Differentiable translation (Zhao et al. 2020, DiffAugment): each image by its own whole-pixel
/// shift up to `limit`, the border filled with -1, the value of no counts.
torch::Tensor translate(const torch::Tensor& images, int64_t limit, Random& random) {
  const auto padded = torch::constant_pad_nd(images, {limit, limit, limit, limit}, -1);
  std::vector<torch::Tensor> shifted;
  for (int64_t image = 0; image < images.size(0); ++image) {
    const int64_t row = random.integer(0, 2 * limit), column = random.integer(0, 2 * limit);
    shifted.push_back(
        padded[image].narrow(1, row, images.size(2)).narrow(2, column, images.size(3)));
  }
  return torch::stack(shifted);
}

/// FNV-1a over what is trained on, who is held out and how conditions are coded: a run does not go
/// on with other data.
std::string key_of(const torch::Tensor& slices, const std::vector<std::string>& held_out,
                   const std::string& conditions) {
  uint64_t key = 0xcbf29ce484222325ull;
  const auto mix = [&](const void* bytes, size_t count) {
    for (size_t k = 0; k < count; ++k)
      key = (key ^ static_cast<const unsigned char*>(bytes)[k]) * 0x100000001b3ull;
  };
  const auto contiguous = slices.contiguous();
  mix(contiguous.data_ptr(), contiguous.nbytes());
  const auto texts = fmt::format("{}|{}", fmt::join(held_out, ","), conditions);
  mix(texts.data(), texts.size());
  return fmt::format("{:016x}", key);
}

PreparedCohort cohort_of(const std::string& folder, const FastganTraining& settings) {
  auto cohort = read_cohort(folder);
  require(cohort.slices.size(1) == kSide && cohort.slices.size(2) == kSide,
          "{}: slices are {} x {}; expected 64 x 64 for fastgan; import with --matrix 64", folder,
          cohort.slices.size(1), cohort.slices.size(2));
  return settings.where.empty() ? cohort : cohort.where(settings.where);
}

class FastganRecipe : public Recipe {
 public:
  FastganRecipe(const std::string& folder, FastganTraining& settings,
                const DeviceSettings& device_settings, uint64_t seed)
      : settings_(settings),
        seed_(seed),
        precision_(device_settings.precision),
        device_(use_device(device_settings)) {
    read(folder);
    settings.held_out = settings_.held_out;
    build(compute_type(device_settings));
  }

  std::string method() const override { return "fastgan"; }
  int64_t steps_per_epoch() const override { return sampler_->steps_per_epoch(); }
  int64_t batch_size() const override { return settings_.batch_size; }

  void tell() const override {
    const auto& cohort = sampler_->cohort();
    const auto& held_out = settings_.held_out;
    say(fmt::format("{} slices of {} patients to train on, {} of {} held out{}", cohort.size(),
                    cohort.participants().size(), held_out_slices_, held_out.size(),
                    held_out.empty() ? "" : fmt::format(" ({})", fmt::join(held_out, ", "))));
    for (const auto& [assignment, count] : sampler_->encoder().combinations())
      if (count == 0)
        warn(fmt::format("no training slice has {}; images of it will be a guess", assignment));
    if (!scorer_)
      warn(fmt::format("fewer than {} slices held out: no evaluation and no best checkpoint",
                       kFewestHeldOut));
  }

  Losses step(int64_t step) override {
    Random random(seed_, "step", static_cast<uint64_t>(step));
    const auto batch = sampler_->batch(step);
    const auto latents =
        random.normal_tensor({settings_.batch_size, settings_.network.latent_elements()});
    const int64_t crop_row = random.integer(0, 8), crop_column = random.integer(0, 8);
    FastganStepOptions options;
    options.reconstruction_weight = settings_.reconstruction_weight;
    options.joint_batch_norm = settings_.joint_batch_norm;
    const auto margin = [&] {
      return settings_.margin_minimum + (1 - settings_.margin_minimum) * random.uniform();
    };
    options.real_margin = margin();
    options.fake_margin = margin();
    if (settings_.translate_px > 0)
      options.augmentation = [&](const torch::Tensor& images) {
        return translate(images, settings_.translate_px, random);
      };
    const auto gradients =
        fastgan_gradients(generator_, discriminator_, batch.images.to(device_),
                          batch.conditions.to(device_), latents.to(device_),
                          sampler_->conditions(step).to(device_), crop_row, crop_column, options);
    discriminator_optimiser_->step(gradients.discriminator);
    generator_optimiser_->step(gradients.generator, average_parameters_, settings_.average_decay);
    const auto& losses = gradients.losses;
    return {{"real", losses.real},
            {"fake", losses.fake},
            {"part", losses.part},
            {"whole", losses.whole},
            {"generator", losses.generator}};
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

  std::map<std::string, std::string> metadata() override {
    const nlohmann::ordered_json cohort = {
        {"name", sampler_->cohort().name},
        {"pixel_mm", sampler_->cohort().pixel_mm},
        {"unit", sampler_->cohort().unit},
        {"training_slices", sampler_->cohort().size()},
        {"training_patients", sampler_->cohort().participants().size()}};
    auto training = settings_to_json(as_settings_);
    training.erase("held_out");  // a checkpoint may travel; names of patients stay in run.json
    for (const char* filter : {"where", "flip_where"})
      if (training[filter].get<std::string>().find("participant_id") != std::string::npos)
        training[filter] = "(names participants)";
    training["seed"] = seed_;
    training["precision"] = precision_;
    training["data"] = data_key_;
    return {{"network", settings_to_json(network_as_settings_).dump()},
            {"conditions", sampler_->encoder().to_json()},
            {"cohort", cohort.dump()},
            {"training", training.dump()}};
  }

  void prepare_to_save() override {
    if (average_) calibrate_average();
  }

  Picture sample_sheet(int64_t step) override {
    const auto& cohort = sampler_->cohort();
    std::vector<SheetRow> rows;
    uint64_t combination = 0;
    for (const auto& [assignment, count] : sampler_->encoder().combinations()) {
      ++combination;
      if (count == 0) continue;
      std::vector<int64_t> real;
      for (int64_t row = 0; row < cohort.size(); ++row)
        if (sampler_->encoder().text_values(cohort.table, static_cast<size_t>(row)) == assignment)
          real.push_back(row);
      // Each synthetic slice has the condition of the real one above it, numbers included.
      std::vector<int64_t> shown;
      for (int64_t k = 0; k < kSheetColumns; ++k)
        shown.push_back(real[size_t(k) * real.size() / size_t(kSheetColumns)]);
      const auto chosen = torch::tensor(shown);
      rows.push_back({assignment + " real", cohort.slices.index_select(0, chosen), {}});
      const auto latents = Random(seed_, "sheet", combination)
                               .normal_tensor({kSheetColumns, settings_.network.latent_elements()});
      rows.push_back(
          {assignment + " synthetic", make_slices(latents, encoded().index_select(0, chosen)), {}});
    }
    return draw_sheet(fmt::format("fastgan, step {}", step), rows,
                      "synthetic rows are made by a network; not for diagnosis");
  }

  Scores evaluate() override {
    if (!scorer_) return {};
    const int64_t count = settings_.evaluation_images;
    const auto rows = torch::arange(count) % held_out_conditions_.size(0);
    const auto classes = classes_of(held_out_conditions_).index_select(0, rows);
    const auto latents =
        Random(seed_, "evaluation").normal_tensor({count, settings_.network.latent_elements()});
    return named(
        (*scorer_)(make_slices(latents, held_out_conditions_.index_select(0, rows)), classes));
  }

 private:
  /// Lets a part of a command's settings be written as JSON on its own.
  template <class Part>
  struct AsSettings : Settings {
    explicit AsSettings(Part& of) : part(of) {}
    void visit(SettingsVisitor& visitor) override { part.visit(visitor); }
    Part& part;
  };

  void read(const std::string& folder) {
    const auto cohort = cohort_of(folder, settings_);
    if (settings_.held_out.empty())
      settings_.held_out = draw_held_out(cohort, settings_.hold_out, seed_);
    const auto& held_out = settings_.held_out;
    auto split = split_by_patient(cohort, held_out);
    const ConditionEncoder encoder(split.training.table, settings_.condition);
    require(split.training.size() >= settings_.batch_size,
            "{}: {} slices to train on; expected at least a batch of {}", folder,
            split.training.size(), settings_.batch_size);
    held_out_slices_ = split.held_out.size();
    if (held_out_slices_ >= kFewestHeldOut) {
      held_out_conditions_ = encoder.encode(split.held_out.table);
      scorer_ = std::make_unique<SliceScorer>(split.training.slices, split.held_out.slices,
                                              classes_of(held_out_conditions_));
    }
    data_key_ = key_of(split.training.slices, held_out, encoder.to_json());
    sampler_ =
        std::make_unique<BatchSampler>(std::move(split.training), encoder, settings_.batch_size,
                                       settings_.balance, settings_.augment, seed_);
  }

  void build(torch::ScalarType compute) {
    const int64_t conditions = sampler_->encoder().size();
    torch::manual_seed(stream_seed(seed_, "weights"));
    generator_ = FastganGenerator(settings_.network, conditions);
    discriminator_ = FastganDiscriminator(settings_.network, conditions);
    generator_->to(device_);
    discriminator_->to(device_);
    generator_->set_compute_type(compute);
    discriminator_->set_compute_type(compute);
    if (settings_.average_decay > 0) {
      average_ = FastganGenerator(settings_.network, conditions);
      average_->to(device_);
      average_->set_compute_type(compute);
      const torch::NoGradGuard no_grad;
      NamedTensors live, averaged;
      collect(*generator_, "", live);
      collect(*average_, "", averaged);
      for (auto& [name, tensor] : averaged) tensor.copy_(live.at(name));
      average_parameters_ = average_->parameters();
    }
    AdamSettings adam;
    adam.beta1 = settings_.beta1;
    adam.beta2 = settings_.beta2;
    adam.epsilon = settings_.adam_epsilon;
    adam.rate = settings_.learning_rate;
    generator_optimiser_ = std::make_unique<Adam>(named_parameters(*generator_), adam);
    if (settings_.discriminator_learning_rate > 0)
      adam.rate = settings_.discriminator_learning_rate;
    discriminator_optimiser_ = std::make_unique<Adam>(named_parameters(*discriminator_), adam);
  }

  /// Running statistics of the averaged generator from fixed latents: those gathered under the live
  /// weights do not fit it.
  void calibrate_average() {
    const torch::NoGradGuard no_grad;
    // Buffers (power-iteration vectors too) start from the live ones: what comes out depends on the
    // state alone, not on how often it was asked for.
    auto live = generator_->named_buffers();
    for (auto& buffer : average_->named_buffers()) buffer.value().copy_(live[buffer.key()]);
    average_->train();
    for (int64_t batch = 0; batch < kCalibrationBatches; ++batch) {
      for (auto& module :
           average_->modules())  // momentum 1/k: the plain mean over the batches so far
        if (auto* norm = module->as<BatchNormImpl>()) norm->momentum = 1.0 / double(batch + 1);
      Random random(seed_, "calibration", uint64_t(batch));
      std::vector<int64_t> rows;
      for (int64_t k = 0; k < kCalibrationBatch; ++k)
        rows.push_back(random.integer(0, encoded().size(0) - 1));
      average_->forward(
          random.normal_tensor({kCalibrationBatch, settings_.network.latent_elements()})
              .to(device_),
          encoded().index_select(0, torch::tensor(rows)).to(device_));
    }
    average_->eval();
  }

  const torch::Tensor& encoded() {
    if (!encoded_.defined()) encoded_ = sampler_->encoder().encode(sampler_->cohort().table);
    return encoded_;
  }

  /// Synthetic slices in [0,1] as `generate` would make them now.
  torch::Tensor make_slices(const torch::Tensor& latents, const torch::Tensor& conditions) {
    const torch::NoGradGuard no_grad;
    if (average_) calibrate_average();
    auto& network = average_ ? average_ : generator_;
    network->eval();
    std::vector<torch::Tensor> made;
    for (int64_t first = 0; first < latents.size(0); first += kCalibrationBatch) {
      const int64_t count = std::min(kCalibrationBatch, latents.size(0) - first);
      made.push_back(network
                         ->forward(latents.narrow(0, first, count).to(device_),
                                   conditions.narrow(0, first, count).to(device_))
                         .to(torch::kFloat)
                         .cpu());
    }
    generator_->train();
    return ((torch::cat(made).squeeze(1) + 1) / 2).clamp(0, 1);
  }

  FastganTraining settings_;
  AsSettings<FastganTraining> as_settings_{settings_};
  AsSettings<FastganSettings> network_as_settings_{settings_.network};
  uint64_t seed_;
  std::string precision_, data_key_;
  torch::Device device_;
  std::unique_ptr<BatchSampler> sampler_;
  std::unique_ptr<SliceScorer> scorer_;
  int64_t held_out_slices_ = 0;
  torch::Tensor held_out_conditions_, encoded_;
  std::vector<torch::Tensor> average_parameters_;
  FastganGenerator generator_{nullptr}, average_{nullptr};
  FastganDiscriminator discriminator_{nullptr};
  std::unique_ptr<Adam> generator_optimiser_, discriminator_optimiser_;
};

}  // namespace

std::unique_ptr<Recipe> make_fastgan_recipe(const std::string& cohort_folder,
                                            FastganTraining& settings, const DeviceSettings& device,
                                            uint64_t seed) {
  return std::make_unique<FastganRecipe>(cohort_folder, settings, device, seed);
}

}  // namespace scintigen
