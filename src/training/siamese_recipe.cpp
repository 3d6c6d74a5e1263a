// SPDX-License-Identifier: Apache-2.0
#include "training/siamese_recipe.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cohort/people_split.h"
#include "core/error.h"
#include "core/progress.h"
#include "core/random.h"
#include "core/safetensors.h"
#include "training/adam.h"
#include "training/named_tensors.h"

namespace scintigen {

void SiameseTraining::visit(SettingsVisitor& v) {
  data.visit(v);
  v.visit(number("hold_out", "people kept out of training for the evaluation; 0 = none", 0, 1e6),
          hold_out);
  v.visit(text("held_out", "participant_id of the people to keep out, instead of hold_out"),
          held_out);
  v.visit(text("leave_out", "people who are no controls: neither trained on nor evaluated"),
          leave_out);
  v.visit(number("patches", "patches of a control in an epoch (Zotova 2025: 25000)", 1, 1e9),
          patches);
  v.visit(number("batch_size", "patches a step, in pairs (Pinon 2021: 225)", 2, 65536), batch_size);
  v.visit(number("alpha", "weight of the cosine of a pair's latents (Pinon 2021: 0.005)", 0, 1e6),
          alpha);
  v.visit(number("learning_rate", "of Adam (Pinon 2021: 1e-3)", 0, 1), learning_rate);
}

namespace {

const std::string kNetwork = "network.", kOptimiser = "optimiser.";
constexpr int64_t kEvaluationPairs = 1024, kSheetPatches = 12, kSheetScale = 6;

class SiameseRecipe : public Recipe {
 public:
  SiameseRecipe(const std::string& folder, SiameseTraining& settings,
                const DeviceSettings& device_settings, uint64_t seed)
      : seed_(seed), device_(use_device(device_settings)) {
    const auto cohort = read_volume_cohort(folder);
    name_ = cohort.name;
    space_ = cohort.space;
    const auto people =
        split_people(cohort, settings.hold_out, settings.held_out, settings.leave_out, seed);
    require(people.training.size() >= 2, "{}: {} person to train on; expected at least 2",
            cohort.table.name, people.training.size());
    require(people.held_out.size() != 1,
            "{}: one person is held out; pairs need two, or --hold-out 0", cohort.table.name);
    settings_ = settings;
    training_ = read_patch_people(cohort, people.training, settings.data);
    if (!people.held_out.empty())
      held_out_ = read_patch_people(cohort, people.held_out, settings.data);
    torch::manual_seed(stream_seed(seed_, "weights"));
    network_ = PatchAutoencoder(static_cast<int64_t>(settings.data.modalities.size()));
    network_->to(device_);
    AdamSettings adam;
    adam.rate = settings.learning_rate;
    optimiser_ = std::make_unique<Adam>(named_parameters(*network_), adam);
  }

  std::string method() const override { return "siamese"; }
  int64_t steps_per_epoch() const override {
    const auto patches = settings_.patches * static_cast<int64_t>(training_.participants.size());
    return std::max<int64_t>(1, patches / (2 * pairs()));
  }
  int64_t batch_size() const override { return 2 * pairs(); }
  void tell() const override {
    say(fmt::format("patches of {}: {} people to train on, {} held out, {} brain voxels in all",
                    fmt::join(settings_.data.modalities, " and "), training_.participants.size(),
                    held_out_.participants.size(), training_.mask.sum().item<int64_t>()));
  }

  Losses step(int64_t step) override {
    const auto batch = draw_pairs(training_, pairs(), kPatchSide, seed_, step);
    network_->zero_grad();
    const auto losses =
        siamese_loss(network_, batch.first.to(device_), batch.second.to(device_), settings_.alpha);
    losses.total.backward();
    std::vector<torch::Tensor> gradients;
    for (const auto& parameter : network_->parameters()) gradients.push_back(parameter.grad());
    optimiser_->step(gradients);
    return {{"reconstruction", losses.reconstruction.detach()},
            {"cosine", losses.similarity.detach()}};
  }

  NamedTensors state() override {
    NamedTensors tensors;
    collect(*network_, kNetwork, tensors);
    for (const auto& [name, tensor] : optimiser_->state()) tensors[kOptimiser + name] = tensor;
    return tensors;
  }
  void load_state(const NamedTensors& state) override {
    const torch::NoGradGuard no_grad;
    NamedTensors live;
    collect(*network_, kNetwork, live);
    for (auto& [name, tensor] : live) tensor.copy_(state.at(name));
    optimiser_->load_state(below(state, kOptimiser));
  }

  std::map<std::string, std::string> metadata() override {
    const nlohmann::ordered_json training = {
        {"modalities", settings_.data.modalities},     {"session", settings_.data.session},
        {"clip_percent", settings_.data.clip_percent}, {"smooth_mm", settings_.data.smooth_mm},
        {"surround_mm", settings_.data.surround_mm},   {"patches", settings_.patches},
        {"batch_size", settings_.batch_size},          {"alpha", settings_.alpha},
        {"learning_rate", settings_.learning_rate},    {"seed", seed_}};
    const nlohmann::ordered_json cohort = {
        {"name", name_}, {"space", space_}, {"training_patients", training_.participants.size()}};
    return {{"training", training.dump()}, {"cohort", cohort.dump()}};
  }

  Picture sample_sheet(int64_t step) override {
    const torch::NoGradGuard no_grad;
    const auto batch = draw_pairs(shown(), kSheetPatches, kPatchSide, seed_, 0);
    const auto made = network_->decode(network_->encode(batch.first.to(device_))).cpu();
    std::vector<SheetRow> rows;
    for (int64_t m = 0; m < made.size(1); ++m) {
      const auto& modality = settings_.data.modalities[static_cast<size_t>(m)];
      rows.push_back({modality, as_seen(batch.first.select(1, m)), {}});
      rows.push_back({modality + ", decoded", as_seen(made.select(1, m)), {}});
    }
    return draw_sheet(fmt::format("siamese patches, step {}", step), rows,
                      "patches of 15 x 15 pixels and what is left of them after 64 values", "gray",
                      kSheetScale);
  }

  Scores evaluate() override {
    if (held_out_.participants.empty()) return {};
    const torch::NoGradGuard no_grad;
    const auto batch = draw_pairs(held_out_, kEvaluationPairs, kPatchSide, seed_, 0);
    const auto losses =
        siamese_loss(network_, batch.first.to(device_), batch.second.to(device_), settings_.alpha);
    return {{"score", losses.total.item<double>()},
            {"reconstruction", losses.reconstruction.item<double>()},
            {"cosine", losses.similarity.item<double>()}};
  }

 private:
  int64_t pairs() const { return std::max<int64_t>(1, settings_.batch_size / 2); }
  const PatchPeople& shown() const {
    return held_out_.participants.empty() ? training_ : held_out_;
  }
  /// Patches lie left to right and back to front; sheets show right to left and front to back.
  static torch::Tensor as_seen(const torch::Tensor& patches) { return patches.flip({1, 2}); }

  SiameseTraining settings_;
  uint64_t seed_;
  std::string name_, space_;
  torch::Device device_;
  PatchPeople training_, held_out_;
  PatchAutoencoder network_{nullptr};
  std::unique_ptr<Adam> optimiser_;
};

}  // namespace

std::unique_ptr<Recipe> make_siamese_recipe(const std::string& cohort_folder,
                                            SiameseTraining& settings, const DeviceSettings& device,
                                            uint64_t seed) {
  return std::make_unique<SiameseRecipe>(cohort_folder, settings, device, seed);
}

TrainedPatches read_patch_network(const std::string& checkpoint) {
  const auto file = read_tensors(checkpoint);
  const auto at = [&](const char* key) {
    const auto found = file.metadata.find(key);
    return found == file.metadata.end() ? std::string() : found->second;
  };
  const auto training = nlohmann::json::parse(at("training"), nullptr, false);
  require(at("method") == "siamese" && training.is_object() && training.contains("modalities") &&
              training["modalities"].is_array(),
          "{}: expected a checkpoint of `scintigen train siamese`", checkpoint);
  TrainedPatches trained;
  try {
    trained.data.modalities = training["modalities"].get<std::vector<std::string>>();
    trained.data.session = training.value("session", "");
    trained.data.clip_percent = training.value("clip_percent", 1.0);
    trained.data.smooth_mm = training.value("smooth_mm", 0.0);  // older runs have neither
    trained.data.surround_mm = training.value("surround_mm", 0.0);
  } catch (const nlohmann::json::exception&) {
    throw Error("{}: metadata \"training\" is not what train siamese writes", checkpoint);
  }
  require(!trained.data.modalities.empty() && trained.data.modalities.size() <= 16,
          "{}: {} modalities; expected 1 to 16", checkpoint, trained.data.modalities.size());
  trained.network = PatchAutoencoder(static_cast<int64_t>(trained.data.modalities.size()));
  const torch::NoGradGuard no_grad;
  for (auto& entry : trained.network->named_parameters()) {
    const auto& stored = file.at(kNetwork + entry.key());
    require(stored.sizes() == entry.value().sizes(), "{}: {}{} has another shape", checkpoint,
            kNetwork, entry.key());
    entry.value().copy_(stored);
  }
  return trained;
}

}  // namespace scintigen
