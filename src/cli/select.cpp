// SPDX-License-Identifier: Apache-2.0
// scintigen select: ranks the checkpoints of a run, in place of the paper's physician.
#include <algorithm>
#include <filesystem>
#include <optional>

#include "cli/command.h"
#include "cli/run_split.h"
#include "cohort/prepared_cohort.h"
#include "core/atomic_file.h"
#include "core/device.h"
#include "core/error.h"
#include "core/picture.h"
#include "core/progress.h"
#include "core/run_record.h"
#include "metrics/slice_scores.h"
#include "synthesis/generate.h"
#include "training/checkpoint.h"

namespace scintigen {
namespace {

struct Ranked {
  std::filesystem::path checkpoint;
  SliceScores scores;
};

class Select : public Command {
 public:
  void visit(SettingsVisitor& v) override {
    v.visit(positional(required(text("run", "run folder made by `scintigen train`"))), run_);
    v.visit(text("cohort", "prepared cohort, where it has moved since training"), cohort_);
    v.visit(number("images", "synthetic slices per checkpoint", 16, 1000000), images_);
    v.visit(number("seed", "seed of their latents", 0, 9e15), seed_);
    device_.visit(v);
  }

  int run(const std::vector<std::string>& command_line) override {
    const std::filesystem::path run(run_);
    auto candidates = step_checkpoints(run);
    if (std::filesystem::exists(run / "checkpoints" / "best.safetensors"))
      candidates.push_back(run / "checkpoints" / "best.safetensors");
    require(!candidates.empty(), "{}: holds no checkpoint; expected a run of `scintigen train`",
            run_);
    const auto split = split_of_run(run, cohort_).split;
    require(split.held_out.size() > 0,
            "{}: the run held out no patient, so nothing can judge its checkpoints; train with "
            "--hold-out 2",
            run.string());
    RunRecord record(run / "select", "select", command_line, *this);
    const auto device = use_device(device_);
    std::vector<Ranked> ranking;
    std::optional<SliceScorer> scorer;
    Progress progress("select", static_cast<int64_t>(candidates.size()), "checkpoint");
    for (const auto& checkpoint : candidates) {
      try {
        const SliceGenerator probe(checkpoint, device, compute_type(device_));
        const auto conditions = probe.encoder().encode(split.held_out.table);
        const auto classes = classes_of(conditions);
        // Checkpoints of one run code conditions alike; the first makes the scorer.
        if (!scorer) scorer.emplace(split.training.slices, split.held_out.slices, classes);
        const auto rows = torch::arange(images_) % conditions.size(0);
        ranking.push_back({checkpoint, (*scorer)(slices(probe, conditions.index_select(0, rows)),
                                                 classes.index_select(0, rows))});
        record.add_input(checkpoint);
      } catch (const Error& error) {
        warn(fmt::format("{} (left out of the ranking)", error.what()));
      }
      progress.advance();
    }
    require(!ranking.empty(), "{}: no checkpoint could be read", run_);
    std::stable_sort(ranking.begin(), ranking.end(),
                     [](const auto& a, const auto& b) { return a.scores.score < b.scores.score; });
    write(run, ranking);
    record.finish();
    return ranking.front().scores.vetoed || ranking.size() < candidates.size() ? 1 : 0;
  }

 private:
  torch::Tensor slices(const SliceGenerator& generator, const torch::Tensor& conditions) {
    auto maker = generator;
    return maker.generate(generator.latents(static_cast<uint64_t>(seed_), 0, images_), conditions);
  }

  static void write(const std::filesystem::path& run, const std::vector<Ranked>& ranking) {
    Table table;
    table.columns = {"rank", "checkpoint"};
    for (const auto& entry : named(ranking.front().scores)) table.columns.push_back(entry.first);
    std::string lines;
    for (size_t place = 0; place < ranking.size(); ++place) {
      const auto name = ranking[place].checkpoint.filename().string();
      std::vector<std::string> cells = {std::to_string(place + 1), name};
      for (const auto& entry : named(ranking[place].scores))
        cells.push_back(fmt::format("{:.6g}", entry.second));
      table.add_row(cells);
      const auto& scores = ranking[place].scores;
      lines += fmt::format(
          "{:>4}  {:<28} score {:8.3f}  energy {:.3f} (training patients {:.3f})  counts {:.2f} SD "
          " "
          "LR {:.2f} SD  SD ratio {:.2f}  copies {:.1f} %{}\n",
          place + 1, name, scores.score, scores.energy, scores.energy_training,
          scores.mean_count_error, scores.left_right_error, scores.deviation_ratio,
          100 * scores.copies, scores.vetoed ? "  VETOED" : "");
    }
    write_table(run / "select" / "ranking.tsv", table);
    write_file(run / "selected.txt", ranking.front().checkpoint.filename().string() + "\n");
    fmt::print("{}", lines);
    if (ranking.front().scores.vetoed)
      warn(
          "every checkpoint is vetoed: more than 5 % of its images are near copies of training "
          "slices");
  }

  std::string run_, cohort_;
  int64_t images_ = 1000, seed_ = 1;
  DeviceSettings device_;
};

}  // namespace

CommandEntry select_command() {
  return {"select",
          "Rank the checkpoints of a run against its held-out patients",
          "Makes synthetic slices in the held-out patients' mix of conditions with every "
          "checkpoint of the run and ranks by energy "
          "distance, mean counts, left/right balance and variety, with a veto on copies of "
          "training slices (score: docs/methods.md). Writes "
          "`select/ranking.tsv`, and `selected.txt`, which `scintigen generate --run` follows.",
          "scintigen select run --images 1000",
          [] { return std::unique_ptr<Command>(new Select); },
          false};
}

}  // namespace scintigen
