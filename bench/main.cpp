// SPDX-License-Identifier: Apache-2.0
// main() of every program here: bench.h, and what goes wrong in one line.
#include <exception>
#include <iostream>

#include "bench.h"

int main(int argc, char** argv) try {
  return scintigen::bench({argv, argv + argc});
} catch (const std::exception& error) {
  std::cerr << argv[0] << ": " << error.what() << "\n";
  return 2;
}
