// SPDX-License-Identifier: Apache-2.0
// One file a command. The table of commands is in main.cpp, and so is the one catch.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "core/settings.h"

namespace scintigen {

/// A command: settings it declares, work it does. run() returns the exit status (0 all well, 1 done
/// but with skipped items); anything it cannot do it throws as Error (exit status 2).
class Command : public Settings {
 public:
  virtual int run(const std::vector<std::string>& command_line) = 0;
};

struct CommandEntry {
  std::string name;         ///< words as typed: "import", "train fastgan"
  std::string summary;      ///< one line
  std::string description;  ///< what it reads, does and writes; Markdown
  std::string example;
  std::unique_ptr<Command> (*make)();
  bool takes_recipe = false;  ///< --recipe FILE.toml
};

CommandEntry simulate_command();
CommandEntry import_command();
CommandEntry prepare_command();
CommandEntry export_command();
CommandEntry siscom_command();
CommandEntry train_fastgan_command();
CommandEntry train_pix2pix_command();
CommandEntry train_cyclegan_command();
CommandEntry train_siamese_command();
CommandEntry detect_fit_command();
CommandEntry detect_apply_command();
CommandEntry detect_baseline_command();
CommandEntry detect_score_command();
CommandEntry select_command();
CommandEntry generate_command();
CommandEntry translate_command();
CommandEntry evaluate_command();
CommandEntry compare_command();
CommandEntry metrics_command();
CommandEntry stats_command();
CommandEntry doctor_command();  ///< versions, device, instruction sets, free space

/// Whether `import`, `prepare`, `export` and `siscom` are in the table.
bool built_with_imaging();

}  // namespace scintigen
