// SPDX-License-Identifier: Apache-2.0
#include "training/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/progress.h"
#include "core/safetensors.h"
#include "core/table.h"

namespace scintigen {
namespace {

constexpr const char* kFormat = "scintigen-checkpoint-1";

std::string shape_text(const torch::Tensor& tensor) {
  std::string text;
  for (const auto side : tensor.sizes()) text += (text.empty() ? "" : ",") + std::to_string(side);
  return "[" + text + "]";
}

double number_in(const TensorFile& file, const std::string& key) {
  const auto found = file.metadata.find(key);
  require(found != file.metadata.end(),
          "{}: metadata has no \"{}\"; is it a checkpoint of scintigen?", file.source, key);
  return std::stod(found->second);
}

/// Gives the file's tensors to the recipe, refusing any difference of name or shape first.
void load_state(const TensorFile& file, Recipe& recipe) {
  const auto live = recipe.state();
  for (const auto& [name, tensor] : live) {
    const auto& saved = file.at(name);
    require(saved.sizes() == tensor.sizes(),
            "{}: tensor {} is {}; expected {}; was the network's size changed since?", file.source,
            name, shape_text(saved), shape_text(tensor));
  }
  for (const auto& entry : file.tensors)
    require(live.count(entry.first) == 1,
            "{}: holds tensor {}, which the settings of this run do not have", file.source,
            entry.first);
  recipe.load_state(file.tensors);
}

/// A run goes on with the settings it began with: "training" is the JSON of all that changes
/// weights.
void refuse_other_settings(const TensorFile& file, Recipe& recipe) {
  const auto found = file.metadata.find("training");
  require(found != file.metadata.end(), "{}: metadata has no \"training\"", file.source);
  const auto before = nlohmann::json::parse(found->second, nullptr, false);
  const auto now = nlohmann::json::parse(recipe.metadata().at("training"));
  require(before.is_object(), "{}: metadata \"training\" is not JSON", file.source);
  for (const auto& [key, value] : now.items())
    require(before.contains(key) && before[key] == value,
            "{}: the run began with {} = {}, now it is {}; resume with the run's own settings (its "
            "run.json) or train anew under another --out",
            file.source, key, before.value(key, nlohmann::json("nothing")).dump(), value.dump());
}

/// The last update may have overflowed although its loss was finite: such a state must not become a
/// checkpoint.
std::map<std::string, torch::Tensor> finite_state(Recipe& recipe, int64_t step) {
  auto state = recipe.state();
  for (const auto& [name, tensor] : state)
    require(!tensor.is_floating_point() || tensor.isfinite().all().item<bool>(),
            "training: tensor {} is not finite after step {}; checkpoints are left as they were; "
            "lower --learning-rate",
            name, step);
  return state;
}

}  // namespace

CheckpointFolder::CheckpointFolder(std::filesystem::path run, int64_t keep_last)
    : run_(std::move(run)), folder_(run_ / "checkpoints"), keep_last_(keep_last) {
  std::error_code failure;
  std::filesystem::create_directories(folder_, failure);
  require(!failure, "{}: cannot be made: {}", folder_.string(), failure.message());
  sweep_temporary_files(folder_);
}

std::map<std::string, std::string> CheckpointFolder::metadata(Recipe& recipe,
                                                              const Progression& progression) {
  recipe.prepare_to_save();
  auto metadata = recipe.metadata();
  metadata["format"] = kFormat;
  metadata["method"] = recipe.method();
  metadata["step"] = std::to_string(progression.step);
  metadata["epoch"] = std::to_string(progression.step / recipe.steps_per_epoch());
  metadata["elapsed_s"] = number_text(progression.elapsed_s);
  metadata["best_score"] = progression.has_best ? number_text(progression.best_score) : "none";
  return metadata;
}

void CheckpointFolder::save(Recipe& recipe, const Progression& progression) {
  const auto path = folder_ / fmt::format("step-{:09d}.safetensors", progression.step);
  const auto about = metadata(recipe, progression);
  write_tensors(path, finite_state(recipe, progression.step), about);
  const auto all = step_checkpoints(run_);
  for (size_t index = 0; index + static_cast<size_t>(keep_last_) < all.size(); ++index)
    std::filesystem::remove(all[index]);
}

void CheckpointFolder::save_best(Recipe& recipe, const Progression& progression) {
  const auto about = metadata(recipe, progression);
  write_tensors(folder_ / "best.safetensors", finite_state(recipe, progression.step), about);
}

std::vector<std::filesystem::path> step_checkpoints(const std::filesystem::path& run) {
  const auto folder = run / "checkpoints";
  std::vector<std::filesystem::path> found;
  if (!std::filesystem::is_directory(folder)) return found;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const auto name = entry.path().filename().string();
    if (name.rfind("step-", 0) == 0 && entry.path().extension() == ".safetensors")
      found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::optional<Progression> CheckpointFolder::load_newest(Recipe& recipe) {
  const auto all = step_checkpoints(run_);
  for (auto path = all.rbegin(); path != all.rend(); ++path) {
    TensorFile file;
    try {
      file = read_tensors(*path);
    } catch (const Error& error) {
      warn(fmt::format("{} (set aside as .damaged; an older checkpoint is used)", error.what()));
      std::filesystem::rename(*path, path->string() + ".damaged");
      continue;
    }
    const auto method = file.metadata.find("method");
    require(method != file.metadata.end() && method->second == recipe.method(),
            "{}: is a checkpoint of method {}; expected {}", file.source,
            method == file.metadata.end() ? "(none)" : method->second, recipe.method());
    refuse_other_settings(file, recipe);
    load_state(file, recipe);
    Progression progression;
    progression.step = static_cast<int64_t>(number_in(file, "step"));
    progression.elapsed_s = number_in(file, "elapsed_s");
    progression.has_best = file.metadata.at("best_score") != "none";
    if (progression.has_best) progression.best_score = number_in(file, "best_score");
    return progression;
  }
  return std::nullopt;
}

std::filesystem::path chosen_checkpoint(const std::filesystem::path& run) {
  const auto folder = run / "checkpoints";
  require(std::filesystem::is_directory(folder),
          "{}: holds no checkpoint; expected a run of `scintigen train`", run.string());
  if (std::filesystem::exists(run / "selected.txt")) {
    auto name = read_file(run / "selected.txt", 4096);
    name.erase(name.find_last_not_of(" \r\n") + 1);
    require(
        std::filesystem::path(name).filename() == name && std::filesystem::exists(folder / name),
        "{}: names checkpoint \"{}\", which {} does not hold; run `scintigen select` again",
        (run / "selected.txt").string(), name, folder.string());
    return folder / name;
  }
  if (std::filesystem::exists(folder / "best.safetensors")) return folder / "best.safetensors";
  const auto all = step_checkpoints(run);
  require(!all.empty(), "{}: holds no checkpoint yet", folder.string());
  return all.back();
}

}  // namespace scintigen
