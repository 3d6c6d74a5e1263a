// SPDX-License-Identifier: Apache-2.0
// What the program prints of itself, from the table of commands.
#pragma once
#include <ostream>
#include <vector>

#include "cli/command.h"

namespace scintigen {

/// `scintigen --help`.
void print_overview(std::ostream& out, const std::vector<CommandEntry>& commands);
/// `scintigen COMMAND --help`.
void print_help(std::ostream& out, const CommandEntry& entry);
/// `scintigen docs`: docs/commands.md.
void print_markdown(std::ostream& out, const std::vector<CommandEntry>& commands);

}  // namespace scintigen
