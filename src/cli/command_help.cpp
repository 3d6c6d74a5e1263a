// SPDX-License-Identifier: Apache-2.0
#include "cli/command_help.h"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <cmath>
#include <sstream>

#include "cli/cli_settings.h"
#include "core/table.h"

namespace scintigen {
namespace {

constexpr size_t kWidth = 100;  // columns of a terminal

const char* const kExitStatus =
    "Exit status: 0 all well; 1 done, but items were skipped or warned about; 2 refused or failed; "
    "130 interrupted.";

std::string type_of(const SettingRow& row) {
  if (!row.setting.choices.empty()) return fmt::format("{}", fmt::join(row.setting.choices, "|"));
  switch (row.kind) {
    case SettingKind::kFlag:
      return "flag";
    case SettingKind::kInteger:
      return "integer";
    case SettingKind::kNumber:
      return "number";
    case SettingKind::kText:
      return "text";
    case SettingKind::kTexts:
      return "text,text,...";
    case SettingKind::kIntegers:
      return "integer,integer,...";
  }
  return "";
}

std::string range_of(const SettingRow& row) {
  const auto& setting = row.setting;
  const bool below = std::isfinite(setting.minimum), above = std::isfinite(setting.maximum);
  if (below && above)
    return fmt::format("{} to {}", number_text(setting.minimum), number_text(setting.maximum));
  if (below) return "at least " + number_text(setting.minimum);
  if (above) return "at most " + number_text(setting.maximum);
  return "";
}

std::string usage_of(const CommandEntry& entry, const std::vector<SettingRow>& rows) {
  std::string usage = "scintigen " + entry.name;
  for (const auto& row : rows) {
    if (!row.setting.positional) continue;
    usage += row.setting.required ? " " + row.flag : " [" + row.flag + "]";
  }
  for (const auto& row : rows)
    if (row.setting.required && !row.setting.positional)
      usage += fmt::format(" {} {}", row.flag, type_of(row));
  return usage + " [flags]";
}

/// Words of `text` in lines of kWidth columns, each begun with `indent` spaces.
std::string wrapped(const std::string& text, size_t indent) {
  std::istringstream words(text);
  std::string lines, line;
  for (std::string word; words >> word;) {
    if (!line.empty() && indent + line.size() + 1 + word.size() > kWidth) {
      lines += std::string(indent, ' ') + line + "\n";
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
  }
  return lines + std::string(indent, ' ') + line + "\n";
}

/// A name and, from column `column` on, its text.
void print_item(std::ostream& out, const std::string& name, const std::string& text,
                size_t column) {
  std::string lines = wrapped(text, column);
  if (2 + name.size() + 2 > column)
    fmt::print(out, "  {}\n{}", name, lines);
  else
    fmt::print(out, "  {}{}", name, lines.substr(2 + name.size()));
}

std::string help_of(const SettingRow& row) {
  std::string facts;
  const auto add = [&](const std::string& fact) {
    if (!fact.empty()) facts += (facts.empty() ? "" : "; ") + fact;
  };
  add(row.setting.required ? "required" : "");
  add(row.default_text.empty() ? "" : "default " + row.default_text);
  add(range_of(row));
  return row.setting.help + (facts.empty() ? "" : " [" + facts + "]");
}

std::string flag_with_type(const SettingRow& row) {
  if (row.setting.positional) return row.flag;
  if (row.kind != SettingKind::kFlag) return row.flag + " " + type_of(row);
  return row.default_text == "on" ? row.flag + ", --no-" + row.flag.substr(2) : row.flag;
}

std::string markdown_cell(std::string text) {
  for (size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2)
    text.replace(at, 1, "\\|");
  return text;
}

std::string code(const std::string& text) { return text.empty() ? "" : "`" + text + "`"; }

const char* const kRecipeHelp =
    "settings from a TOML file, name = value a line (recipes/); flags given beside it win";

}  // namespace

void print_overview(std::ostream& out, const std::vector<CommandEntry>& commands) {
  fmt::print(out,
             "scintigen learns to make brain SPECT and PET scans, and proves what it made.\n"
             "For research; not for diagnosis.\n\nUsage: scintigen COMMAND [flags]\n\nCommands:\n");
  for (const auto& entry : commands) print_item(out, entry.name, entry.summary, 20);
  print_item(out, "docs", "Print docs/commands.md: every command and flag in Markdown", 20);
  fmt::print(out,
             "\nFlags:\n  --version         Print the version\n  --help            Print this, or "
             "after a command what it takes\n\n{}",
             wrapped(kExitStatus, 0));
}

void print_help(std::ostream& out, const CommandEntry& entry) {
  const auto settings = entry.make();
  const auto rows = setting_rows(*settings);
  fmt::print(out, "{}\n\nUsage: {}\n\n{}\n", entry.summary, usage_of(entry, rows),
             wrapped(entry.description, 0));
  for (const auto& row : rows)
    if (row.setting.positional) print_item(out, flag_with_type(row), help_of(row), 36);
  if (entry.takes_recipe) print_item(out, "--recipe file.toml", kRecipeHelp, 36);
  for (const auto& row : rows)
    if (!row.setting.positional) print_item(out, flag_with_type(row), help_of(row), 36);
  fmt::print(out, "\nExample:\n  {}\n\n{}", entry.example, wrapped(kExitStatus, 0));
}

void print_markdown(std::ostream& out, const std::vector<CommandEntry>& commands) {
  fmt::print(out,
             "# Commands\n\nPrinted by `scintigen docs`; do not edit (scripts/generate_docs writes "
             "it, CI compares it).\n\n{}\nA setting `name_of_it` in a recipe is the flag "
             "`--name-of-it`; `--no-name` turns a flag off; a list takes commas; order: defaults, "
             "then `--recipe`, then flags.\n",
             wrapped(kExitStatus, 0));
  for (const auto& entry : commands) {
    const auto settings = entry.make();
    const auto rows = setting_rows(*settings);
    fmt::print(out, "\n## scintigen {}\n\n{}.\n\n{}\n\n    {}\n\nExample:\n\n    {}\n\n",
               entry.name, entry.summary, entry.description, usage_of(entry, rows), entry.example);
    fmt::print(out, "| setting | type | default | range | |\n|---|---|---|---|---|\n");
    if (entry.takes_recipe) fmt::print(out, "| `--recipe` | file.toml |  |  | {} |\n", kRecipeHelp);
    for (const auto& row : rows)
      fmt::print(out, "| `{}` | {} | {} | {} | {} |\n", row.flag, markdown_cell(type_of(row)),
                 row.setting.required ? "required" : code(row.default_text), range_of(row),
                 markdown_cell(row.setting.help));
  }
}

}  // namespace scintigen
