// SPDX-License-Identifier: Apache-2.0
// scintigen generate: a trained generator -> synthetic slices of chosen conditions.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>
#include <utility>

#include "cli/command.h"
#include "cohort/prepared_cohort.h"
#include "core/device.h"
#include "core/error.h"
#include "core/picture.h"
#include "core/progress.h"
#include "core/run_record.h"
#include "synthesis/synthetic_set.h"
#include "training/checkpoint.h"

namespace scintigen {
namespace {

constexpr int kInterrupted = 130;
constexpr int64_t kBatch = 16;  // its maps stay in the cache; measured best of 4 to 64
constexpr int64_t kChunk = 32 * kBatch;
constexpr size_t kSheetConditions = 24;
constexpr int64_t kUsualCount = 16;

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// "level=cortex,pattern=normal" -> "cortex, normal": the names of the columns stand in the title.
std::string short_name(const std::string& assignment) {
  std::string text;
  for (size_t begin = 0; begin < assignment.size();) {
    const auto end = std::min(assignment.find(',', begin), assignment.size());
    const auto part = assignment.substr(begin, end - begin);
    const auto equals = part.find('=');
    text += (text.empty() ? "" : ", ") + (equals == part.size() ? part : part.substr(equals + 1));
    begin = end + 1;
  }
  return text.empty() ? "all" : text;
}

// A list setting arrives cut at its commas. A condition names each column once, so where a column
// comes again a new condition begins.
std::vector<std::string> joined_conditions(const std::vector<std::string>& parts) {
  std::vector<std::string> conditions;
  std::set<std::string> named;
  for (const auto& part : parts) {
    const bool begins = named.empty() || !named.insert(part.substr(0, part.find('='))).second;
    if (!begins) {
      conditions.back() += "," + part;
      continue;
    }
    conditions.push_back(part);
    named = {part.substr(0, part.find('='))};
  }
  return conditions;
}

// `count` of `candidates`, as far apart as may be, in order.
std::vector<int64_t> spread(const std::vector<int64_t>& candidates, size_t count) {
  if (candidates.size() <= count) return candidates;
  std::vector<int64_t> chosen;
  for (size_t place = 0; place < count; ++place)
    chosen.push_back(candidates[place * candidates.size() / count]);
  return chosen;
}

torch::Tensor rows_of(const torch::Tensor& slices, const std::vector<int64_t>& rows) {
  return slices.index_select(0, torch::tensor(rows, torch::kLong));
}

class Generate : public Command {
 public:
  void visit(SettingsVisitor& v) override;
  int run(const std::vector<std::string>& command_line) override;

 private:
  std::filesystem::path checkpoint() const;
  void check_what_is_asked() const;
  std::vector<std::string> wanted_conditions(const ConditionEncoder& encoder) const;
  SyntheticPlan plan(const SliceGenerator& generator) const;
  SyntheticPlan like_plan(const SliceGenerator& generator) const;
  torch::Tensor make(SliceGenerator& generator, const SyntheticPlan& plan) const;
  nlohmann::ordered_json provenance(const SliceGenerator& generator, const std::string& file_name,
                                    const std::string& sha256) const;
  Picture sheet(const SliceGenerator& generator, const SyntheticPlan& plan,
                const torch::Tensor& images) const;
  std::vector<int64_t> real_rows(const ConditionEncoder& encoder, const std::string& assignment,
                                 size_t count) const;

  std::string run_, checkpoint_, like_, where_, beside_, out_;
  std::vector<std::string> condition_;
  int64_t count_ = 0, all_ = 0, interpolate_ = 0, seed_ = 1;
  double scale_ = 1;
  bool live_weights_ = false;
  DeviceSettings device_;
  PreparedCohort real_;  // of --beside; empty without
};

void Generate::visit(SettingsVisitor& v) {
  v.visit(
      text("run", "run folder: the checkpoint `scintigen select` chose, else best, else newest"),
      run_);
  v.visit(text("checkpoint", "this checkpoint file instead of --run"), checkpoint_);
  v.visit(text("condition", "what to make: level=cortex,pattern=normal; may be given again"),
          condition_);
  v.visit(number("count", "images of each --condition; 0 = 16", 0, kMostImages), count_);
  v.visit(text("like", "one image for each row of this slice table (or prepared cohort)"), like_);
  v.visit(text("where", "rows of --like to use: level=cortex;pattern=normal,unilateral"), where_);
  v.visit(
      number("all", "this many images of every combination that was trained on", 0, kMostImages),
      all_);
  v.visit(number("interpolate",
                 "images from one latent to another on a great circle, of each condition; 0 = off",
                 0, kMostImages),
          interpolate_);
  v.visit(number("seed", "image k of a seed is the same in every run", 0, 9e15), seed_);
  v.visit(required(text("out", "folder to make: must not exist or be empty")), out_);
  v.visit(number("scale", "voxel = slice in [0,1] x scale (1000 = the counts of a typical export)",
                 1e-6, 1e9),
          scale_);
  v.visit(text("beside", "prepared cohort whose real slices the sheet shows above the synthetic"),
          beside_);
  v.visit(flag("live_weights", "the last weights where the checkpoint also has a moving average"),
          live_weights_);
  device_.visit(v);
}

void Generate::check_what_is_asked() const {
  require(run_.empty() != checkpoint_.empty(),
          "generate: {}; give --run FOLDER or --checkpoint FILE",
          run_.empty() ? "no generator was named" : "both --run and --checkpoint were given");
  const int ways = (condition_.empty() ? 0 : 1) + (like_.empty() ? 0 : 1) + (all_ > 0 ? 1 : 0);
  require(ways <= 1, "generate: --condition, --like and --all exclude one another");
  require(where_.empty() || !like_.empty(), "generate: --where chooses rows of --like");
  require(interpolate_ == 0 || like_.empty(),
          "generate: --interpolate goes with --condition or --all, not with --like");
  require(count_ == 0 || (like_.empty() && all_ == 0 && interpolate_ == 0),
          "generate: --count goes with --condition; {} says itself how many",
          !like_.empty() ? "--like"
          : all_ > 0     ? "--all"
                         : "--interpolate");
  require(interpolate_ != 1, "generate: --interpolate 1; expected at least 2, both ends included");
  const std::filesystem::path out(out_);
  require(!std::filesystem::exists(out) ||
              (std::filesystem::is_directory(out) && std::filesystem::is_empty(out)),
          "{}: exists already; nothing is overwritten; name another --out or remove it", out_);
}

std::filesystem::path Generate::checkpoint() const {
  if (!checkpoint_.empty()) return checkpoint_;
  require(std::filesystem::is_directory(run_),
          "{}: no such folder; expected a run of `scintigen train`", run_);
  return chosen_checkpoint(run_);
}

std::vector<std::string> Generate::wanted_conditions(const ConditionEncoder& encoder) const {
  if (encoder.columns().empty()) {
    require(condition_.empty(), "generate: this generator was trained without conditions");
    return {""};
  }
  if (!condition_.empty()) return joined_conditions(condition_);
  std::vector<std::string> trained;
  for (const auto& [assignment, count] : encoder.combinations())
    if (count > 0) trained.push_back(assignment);
  require(all_ > 0,
          "generate: what to make? --condition {} (one of {} trained on), --all N, or --like TABLE",
          trained.empty() ? "" : trained.front(), trained.size());
  for (const auto& column : encoder.columns())
    require(!column.values.empty(),
            "generate: --all cannot choose numbers for {}; use --condition or --like", column.name);
  return trained;
}

SyntheticPlan Generate::like_plan(const SliceGenerator& generator) const {
  std::filesystem::path file = like_;
  if (std::filesystem::is_directory(file)) file /= "slices.tsv";
  const auto table = read_table(file);
  std::vector<int64_t> rows(table.rows.size());
  std::iota(rows.begin(), rows.end(), 0);
  if (!where_.empty()) rows = matching_rows(table, where_);
  return plan_like(generator, table, rows, static_cast<uint64_t>(seed_));
}

SyntheticPlan Generate::plan(const SliceGenerator& generator) const {
  const auto& encoder = generator.encoder();
  const auto seed = static_cast<uint64_t>(seed_);
  SyntheticPlan plan;
  if (!like_.empty())
    plan = like_plan(generator);
  else if (interpolate_ > 0)
    plan = plan_interpolation(generator, wanted_conditions(encoder), interpolate_, seed);
  else
    plan = plan_conditions(generator, wanted_conditions(encoder),
                           all_ > 0     ? all_
                           : count_ > 0 ? count_
                                        : kUsualCount,
                           seed);
  for (const auto& group : by_condition(plan))
    if (encoder.training_count(group.first) == 0)
      warn(fmt::format("{} had no training slice (count 0): its images are a guess", group.first));
  return plan;
}

torch::Tensor Generate::make(SliceGenerator& generator, const SyntheticPlan& plan) const {
  const int64_t count = plan.latents.size(0);
  Progress progress("generate", count, "image");
  std::vector<torch::Tensor> made;
  for (int64_t first = 0; first < count && !stop_requested(); first += kChunk) {
    const int64_t here = std::min(kChunk, count - first);
    made.push_back(generator.generate(plan.latents.narrow(0, first, here),
                                      plan.conditions.narrow(0, first, here), kBatch));
    progress.advance(here);
  }
  return made.empty() ? torch::empty({0, 64, 64}) : torch::cat(made);
}

nlohmann::ordered_json Generate::provenance(const SliceGenerator& generator,
                                            const std::string& file_name,
                                            const std::string& sha256) const {
  const auto& metadata = generator.metadata();
  const auto of = [&](const char* key) {
    const auto found = metadata.find(key);
    return found == metadata.end() ? std::string("n/a") : found->second;
  };
  const auto json = [&](const char* key) {
    return nlohmann::ordered_json::parse(of(key), nullptr, /*allow_exceptions=*/false);
  };
  auto cohort = json("cohort");
  if (!cohort.is_object()) cohort = nullptr;
  return {{"Method", "conditional light-weight GAN (Werner et al. 2022)"},
          {"Checkpoint",
           {{"File", file_name}, {"SHA256", sha256}, {"Step", of("step")}, {"Epoch", of("epoch")}}},
          {"Weights", generator.averaged() ? "moving average" : "last"},
          {"Network", json("network")},
          {"TrainingCohort", cohort},
          {"Seed", seed_},
          {"Precision", device_.precision}};
}

std::vector<int64_t> Generate::real_rows(const ConditionEncoder& encoder,
                                         const std::string& assignment, size_t count) const {
  std::vector<int64_t> rows;
  const auto values = encoder.parse(assignment);
  for (int64_t row = 0; row < real_.size(); ++row) {
    bool same = true;
    for (const auto& column : encoder.columns())
      same =
          same && (column.values.empty() ||  // numbers hardly ever agree
                   real_.table.at(static_cast<size_t>(row), column.name) == values.at(column.name));
    if (same) rows.push_back(row);
  }
  return spread(rows, count);
}

Picture Generate::sheet(const SliceGenerator& generator, const SyntheticPlan& plan,
                        const torch::Tensor& images) const {
  const auto groups = by_condition(plan);
  const size_t shown = std::min(groups.size(), kSheetConditions);
  // A sheet of few conditions shows more of each.
  const size_t columns = interpolate_ > 0 ? 12 : 8;
  const size_t each = interpolate_ > 0 ? columns : columns * (shown == 1 ? 4 : shown <= 3 ? 2 : 1);
  std::vector<SheetRow> rows;
  const auto add = [&](const std::string& label, const torch::Tensor& slices,
                       const std::vector<std::string>& captions) {
    for (int64_t first = 0; first < slices.size(0); first += static_cast<int64_t>(columns)) {
      const int64_t here = std::min(static_cast<int64_t>(columns), slices.size(0) - first);
      const bool captioned = !captions.empty();
      rows.push_back({first == 0 ? label : "", slices.narrow(0, first, here),
                      captioned ? std::vector<std::string>(captions.begin() + first,
                                                           captions.begin() + first + here)
                                : captions});
    }
  };
  for (size_t group = 0; group < shown; ++group) {
    const auto& [assignment, all_images] = groups[group];
    const auto name = short_name(assignment);
    if (!beside_.empty()) {
      const auto real = real_rows(generator.encoder(), assignment, each);
      if (real.empty())
        say(fmt::format("{}: no real slice of {} to show", beside_, assignment));
      else
        add(name + "\nreal", rows_of(real_.slices, real), {});
    }
    const auto chosen = spread(all_images, each);
    std::vector<std::string> captions;
    for (const int64_t image : chosen)
      if (interpolate_ > 0)
        captions.push_back(
            fmt::format("{:.2f}", plan.table.number_at(static_cast<size_t>(image), "fraction")));
    add(name + "\nsynthetic", rows_of(images, chosen), captions);
  }
  std::string title = beside_.empty() ? "Synthetic slices" : "Real and synthetic slices";
  const char* before = " by ";
  for (const auto& column : generator.encoder().columns())
    title += std::exchange(before, ", ") + column.name;
  if (interpolate_ > 0) title += ", from one latent to another";
  return draw_sheet(
      title, rows,
      fmt::format("{}Synthetic rows were made by a neural network (scintigen {}, seed "
                  "{}) and show no patient. For research, not for diagnosis.",
                  shown < groups.size()
                      ? fmt::format("The first {} of {} conditions. ", shown, groups.size())
                      : std::string(),
                  kVersion, seed_));
}

int Generate::run(const std::vector<std::string>& command_line) {
  check_what_is_asked();
  watch_signals();
  const auto file = checkpoint();
  const auto device = use_device(device_);
  SliceGenerator generator(file, device, compute_type(device_), !live_weights_);
  if (!beside_.empty()) {
    real_ = read_cohort(beside_);
    for (const auto& column : generator.encoder().columns()) real_.table.column(column.name);
  }
  // All that can be refused is refused before the folder is made.
  const auto wanted = plan(generator);

  RunRecord record(out_, "generate", command_line, *this);
  const auto sha256 = record.add_input(file);
  record.set("device", describe_device(device));
  const auto start = Clock::now();
  const auto images = make(generator, wanted);
  if (images.size(0) < wanted.latents.size(0)) {
    record.finish("interrupted");
    say(fmt::format("stopped; {} holds no images", out_));
    return kInterrupted;
  }
  const double network_s = seconds_since(start);
  const std::filesystem::path folder(out_);
  const auto made_by = provenance(generator, file.filename().string(), sha256);
  const double pixel_mm = made_by["TrainingCohort"].is_object()
                              ? made_by["TrainingCohort"].value("pixel_mm", 0.0)
                              : 0.0;
  write_synthetic_set(folder, wanted, images, scale_, pixel_mm, made_by);
  // Real slices are not part of what may be given away: the name says what the sheet shows.
  write_png(folder / (beside_.empty() ? "sheet.png" : "sheet_with_real.png"),
            sheet(generator, wanted, images));
  const double total_s = seconds_since(start);
  record.set("images", images.size(0));
  record.set("images_per_s", static_cast<double>(images.size(0)) / total_s);
  record.finish();
  say(fmt::format("{} synthetic slices in {:.2f} s: {:.0f} images/s ({:.0f} without writing): {}",
                  images.size(0), total_s, static_cast<double>(images.size(0)) / total_s,
                  static_cast<double>(images.size(0)) / network_s, out_));
  return 0;
}

}  // namespace

CommandEntry generate_command() {
  return {
      "generate",
      "Make synthetic slices of chosen conditions with a trained generator",
      "Writes `synthetic.nii.gz` (a stack of unrelated slices, marked synthetic in its header), "
      "`slices.tsv` (one row an image; `scintigen import` reads it back), `synthetic.json` "
      "(how it was made), `sheet.png` and `run.json`. A condition that no training slice had "
      "is made with a warning.",
      "scintigen generate --run run --condition level=cortex,pattern=normal --count 16 --out "
      "synthetic",
      [] { return std::unique_ptr<Command>(new Generate); },
      false};
}

}  // namespace scintigen
