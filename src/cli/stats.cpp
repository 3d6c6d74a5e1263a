// SPDX-License-Identifier: Apache-2.0
// scintigen stats: every test of one column by group.
#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "core/table.h"
#include "metrics/comparison.h"

namespace scintigen {
namespace {

class Stats : public Command {
 public:
  void visit(SettingsVisitor& v) override {
    v.visit(positional(required(text("table", ".csv or .tsv with a header line"))), table_);
    settings_.visit(v);
    v.visit(flag("json", "JSON on standard output, all digits"), json_);
  }

  int run(const std::vector<std::string>&) override {
    const auto comparison = compare_groups(read_table(table_), settings_);
    if (json_) {
      using Handler = nlohmann::ordered_json::error_handler_t;
      fmt::print("{}\n", comparison_to_json(comparison).dump(2, ' ', false, Handler::replace));
    } else {
      fmt::print("{}", comparison_to_text(comparison));
    }
    return 0;
  }

 private:
  std::string table_;
  ComparisonSettings settings_;
  bool json_ = false;
};

}  // namespace

CommandEntry stats_command() {
  return {"stats", "Compare a column of a table between groups: tests, intervals, effect sizes",
          "Reads one value a row and its group. Prints one-way ANOVA, Welch's ANOVA and "
          "Kruskal-Wallis; Tukey-Kramer, Dunnett and Games-Howell; for each pair of groups Welch "
          "t, Mann-Whitney, Kolmogorov-Smirnov and effect sizes, with `--pair` paired t, Wilcoxon "
          "and exact McNemar, with `--margin` equivalence (TOST). Bootstrap intervals draw whole "
          "patients where `--cluster` names them, and every test is then repeated on the "
          "patients' means. Cells that are empty or n/a are dropped and counted. What cannot be "
          "computed says why. Pairs of more than 50 groups are refused. Formulas: "
          "docs/methods.md.",
          "scintigen stats slices.csv --value mean_counts --group data_set --cluster "
          "participant_id --control real",
          [] { return std::unique_ptr<Command>(new Stats); }};
}

}  // namespace scintigen
