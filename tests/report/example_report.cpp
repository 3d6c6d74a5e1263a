// SPDX-License-Identifier: Apache-2.0
// example_report FILE [full|two|hostile]: a report of made-up slices, for the browser test and for
// looking at.
#include <chrono>
#include <cstdio>
#include <exception>

#include "report/made_up_evaluation.h"

namespace {

constexpr const char* kHostile =
    "<img src=x onerror=\"document.title='injected'\">\"><svg onload=document.title='injected'>"
    "</script><script>document.title='injected'</script><!-- '\\u003c${1}&lt;b&gt; "
    "<a href=\"javascript:1\">a</a> ";

}  // namespace

int main(int count, char** words) try {
  using namespace scintigen;
  if (count < 2) return 2;
  const std::string kind = count > 2 ? words[2] : "";
  MadeUpSize size = kind == "full" || kind == "two" ? full_size() : MadeUpSize();
  if (kind == "two") size.sets = {"fastgan", "fastgan, improved"};
  MadeUp made = made_up_evaluation(size);
  if (kind == "hostile") put_everywhere(made, kHostile);
  const auto begun = std::chrono::steady_clock::now();
  write_report(words[1], made.input, made.evaluation, made.extras);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
  std::printf("%s: %zu kB in %.2f s\n", words[1],
              static_cast<size_t>(std::filesystem::file_size(words[1]) / 1000), took.count());
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 2;
}
