// SPDX-License-Identifier: Apache-2.0
// The program: the table of commands and the one catch.
#include <c10/util/Exception.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <new>

#include "cli/cli_settings.h"
#include "cli/command.h"
#include "cli/command_help.h"
#include "core/device.h"
#include "core/error.h"
#include "core/run_record.h"
#include "core/table.h"

namespace scintigen {

bool built_with_imaging() {
#ifdef SCINTIGEN_WITH_IMAGING
  return true;
#else
  return false;
#endif
}

namespace {

constexpr int kFailed = 2;

std::vector<CommandEntry> command_table() {
  return {simulate_command(),
#ifdef SCINTIGEN_WITH_IMAGING
          import_command(),        prepare_command(),       export_command(),
          siscom_command(),
#endif
          train_fastgan_command(), train_pix2pix_command(), train_cyclegan_command(),
          train_siamese_command(), select_command(),        generate_command(),
          translate_command(),     evaluate_command(),      compare_command(),
          detect_fit_command(),    detect_apply_command(),  detect_baseline_command(),
          detect_score_command(),  metrics_command(),       stats_command(),
          doctor_command()};
}

std::vector<std::string> split_words(const std::string& text) {
  std::vector<std::string> words(1);
  for (const char letter : text) {
    if (letter == ' ')
      words.emplace_back();
    else
      words.back() += letter;
  }
  return words;
}

/// The command that `words` begin with; its words are taken off them.
const CommandEntry* find_command(const std::vector<CommandEntry>& commands,
                                 std::vector<std::string>& words) {
  for (const auto& entry : commands) {
    const auto name = split_words(entry.name);
    if (words.size() < name.size() || !std::equal(name.begin(), name.end(), words.begin()))
      continue;
    words.erase(words.begin(), words.begin() + static_cast<int64_t>(name.size()));
    return &entry;
  }
  return nullptr;
}

[[noreturn]] void refuse_command(const std::vector<CommandEntry>& commands,
                                 const std::vector<std::string>& words) {
  std::vector<std::string> names, methods;
  for (const auto& entry : commands) {
    names.push_back(entry.name);
    if (split_words(entry.name).front() == words.front()) methods.push_back(entry.name);
  }
  if (!methods.empty())
    throw Error("{} needs another word; there are: {}", words.front(), fmt::join(methods, ", "));
  const std::vector<std::string> imaging = {"import", "prepare", "export", "siscom"};
  require(built_with_imaging() ||
              std::find(imaging.begin(), imaging.end(), words.front()) == imaging.end(),
          "this scintigen was built without {} (core-only: no DICOM); prepare the cohort elsewhere "
          "and copy its folder",
          words.front());
  std::string typed = words.front();
  auto near = nearest_word(typed, names);
  if (!near && words.size() > 1) near = nearest_word(typed += " " + words[1], names);
  throw Error("unknown command '{}'; {}", words.front(),
              near ? "did you mean '" + *near + "'?"
                   : fmt::format("there are: {}", fmt::join(names, ", ")));
}

int run(const std::vector<std::string>& command_line, std::string& command) {
  const auto commands = command_table();
  std::vector<std::string> words(command_line.begin() + 1, command_line.end());
  if (words.empty()) {
    print_overview(std::cerr, commands);
    return kFailed;
  }
  if (words.front() == "--help" || words.front() == "-h" || words.front() == "help") {
    print_overview(std::cout, commands);
    return 0;
  }
  if (words.front() == "--version") {
    std::cout << "scintigen " << kVersion << " (LibTorch " << torch_version() << ")\n";
    return 0;
  }
  if (words.front() == "docs") {
    print_markdown(std::cout, commands);
    return 0;
  }
  const CommandEntry* const entry = find_command(commands, words);
  if (entry == nullptr) refuse_command(commands, words);
  command = " " + entry->name;
  const auto settings = entry->make();
  if (read_command_line(*entry, words, *settings) == CommandLine::kHelpWanted) {
    print_help(std::cout, *entry);
    return 0;
  }
  return settings->run(command_line);
}

/// One line, whatever the library that threw put into its text.
std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

int report(const std::string& command, const std::string& text) {
  std::fflush(stdout);
  std::string line = text;
  std::replace(line.begin(), line.end(), '\n', ' ');
  std::fprintf(stderr, "scintigen%s: %s\n", command.c_str(), line.c_str());
  return kFailed;
}

}  // namespace
}  // namespace scintigen

int main(int count, char** words) {
  using namespace scintigen;
  std::vector<std::string> command_line(words, words + count);
  if (command_line.empty()) command_line.emplace_back("scintigen");
  command_line.front() = "scintigen";  // no path of this machine in run.json
  std::string command;
  try {
    return run(command_line, command);
  } catch (const Error& error) {
    return report(command, error.what());
  } catch (const std::bad_alloc&) {
    return report(command, "out of memory; use smaller batches, fewer images or another machine");
  } catch (const c10::Error& error) {
    const auto text = first_line(error.what_without_backtrace());
    if (text.find("allocate memory") != std::string::npos ||
        text.find("out of memory") != std::string::npos)
      return report(command, "out of memory; use smaller batches or fewer images (" + text + ")");
    return report(command, "internal error, please report it: " + text);
  } catch (const std::exception& error) {
    return report(command, std::string("internal error, please report it: ") + error.what());
  }
}
