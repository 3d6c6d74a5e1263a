// SPDX-License-Identifier: Apache-2.0
// A command's settings as flags.
// Does: list settings as the command line sees them; read a command line into them.  Does not:
// print (command_help.h).
#pragma once
#include <string>
#include <vector>

#include "cli/command.h"
#include "core/settings.h"

namespace scintigen {

enum class SettingKind { kFlag, kInteger, kNumber, kText, kTexts, kIntegers };

/// A setting as the command line sees it.
struct SettingRow {
  Setting setting;
  SettingKind kind;
  std::string flag;          ///< "--batch-size"; "COHORT" where positional
  std::string default_text;  ///< "4", "on", "level,pattern"; empty = none
};
std::vector<SettingRow> setting_rows(Settings& settings);

enum class CommandLine { kReady, kHelpWanted };

/// Reads the words after the command's name into `settings`: defaults, then --recipe, then flags.
/// Setting batch_size is the flag --batch-size; a list takes commas; --no-NAME turns a flag off.
/// throws  Error: unknown flag (names the nearest), a missing or second value, wrong type, out of
///         range, something required that is not given.
CommandLine read_command_line(const CommandEntry& entry, const std::vector<std::string>& words,
                              Settings& settings);

}  // namespace scintigen
