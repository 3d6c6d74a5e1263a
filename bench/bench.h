// SPDX-License-Identifier: Apache-2.0
// What each program of this folder defines.
#pragma once
#include <string>
#include <vector>

namespace scintigen {

/// `words`: the command line, the program's name first. Returns the exit status.
int bench(const std::vector<std::string>& words);

}  // namespace scintigen
