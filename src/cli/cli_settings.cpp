// SPDX-License-Identifier: Apache-2.0
#include "cli/cli_settings.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/table.h"

namespace scintigen {
namespace {

using nlohmann::ordered_json;

bool is_list(const SettingRow& row) {
  return row.kind == SettingKind::kTexts || row.kind == SettingKind::kIntegers;
}

class RowLister : public SettingsVisitor {
 public:
  std::vector<SettingRow> rows;
  void visit(const Setting& s, bool& v) override { add(s, SettingKind::kFlag, v ? "on" : "off"); }
  void visit(const Setting& s, int64_t& v) override {
    add(s, SettingKind::kInteger, std::to_string(v));
  }
  void visit(const Setting& s, double& v) override { add(s, SettingKind::kNumber, number_text(v)); }
  void visit(const Setting& s, std::string& v) override { add(s, SettingKind::kText, v); }
  void visit(const Setting& s, std::vector<std::string>& v) override {
    add(s, SettingKind::kTexts, fmt::format("{}", fmt::join(v, ",")));
  }
  void visit(const Setting& s, std::vector<int64_t>& v) override {
    add(s, SettingKind::kIntegers, fmt::format("{}", fmt::join(v, ",")));
  }

 private:
  void add(const Setting& setting, SettingKind kind, const std::string& default_text) {
    std::string name = setting.name;
    for (char& letter : name) {
      if (setting.positional) letter = static_cast<char>(std::toupper(letter));
      if (!setting.positional && letter == '_') letter = '-';
    }
    const std::string flag = (setting.positional ? "" : "--") + name;
    rows.push_back({setting, kind, flag, setting.required ? "" : default_text});
  }
};

/// A word as the JSON that core/settings reads; a word that is no number stays text, and is told
/// there.
ordered_json json_of(const std::string& word, SettingKind kind) {
  if (kind == SettingKind::kText || kind == SettingKind::kTexts) return word;
  const char* const end = word.data() + word.size();
  int64_t whole = 0;
  auto result = std::from_chars(word.data(), end, whole);
  if (result.ec == std::errc() && result.ptr == end) return whole;
  double number = 0;
  result = std::from_chars(word.data(), end, number);
  if (result.ec == std::errc() && result.ptr == end) return number;
  return word;
}

ordered_json list_of(const std::vector<std::string>& words, SettingKind kind) {
  auto list = ordered_json::array();
  for (const std::string& word : words) {
    for (size_t begin = 0; begin <= word.size();) {
      const size_t comma = std::min(word.find(',', begin), word.size());
      if (comma > begin) list.push_back(json_of(word.substr(begin, comma - begin), kind));
      begin = comma + 1;
    }
  }
  return list;
}

ordered_json value_of(const SettingRow& row, const std::vector<std::string>& words) {
  if (is_list(row)) return list_of(words, row.kind);
  const auto& word = words.back();
  require(words.size() == 1, "{} is given twice: '{}' and '{}'; give it once", row.flag,
          words.front(), word);
  if (row.kind == SettingKind::kFlag) return word == "true";
  return json_of(word, row.kind);
}

bool is_empty(const ordered_json& value) { return value == "" || value == ordered_json::array(); }

CLI::Option* declare(CLI::App& app, const SettingRow& row) {
  if (row.kind == SettingKind::kFlag)
    return app.add_flag(row.flag + ",!--no-" + row.flag.substr(2))
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->disable_flag_override();
  auto* option = app.add_option(row.flag);
  if (row.setting.positional && is_list(row)) option->expected(-1);
  return option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

/// What CLI11 could not place: an unknown flag, or a word too many.
[[noreturn]] void refuse(const std::string& word, const std::vector<SettingRow>& rows,
                         bool takes_recipe) {
  if (word.rfind("-", 0) != 0)
    throw Error("'{}' is one word too many; quote a value that has spaces", word);
  std::vector<std::string> flags = {"--help"};
  if (takes_recipe) flags.emplace_back("--recipe");
  for (const SettingRow& row : rows) flags.push_back(row.flag);
  const auto near = nearest_word(word.substr(0, word.find('=')), flags);
  throw Error("unknown flag {}; {}", word,
              near ? "did you mean " + *near + "?" : std::string("--help lists the flags"));
}

/// CLI11's "--out: 1 required  missing" and "resume was given a disallowed flag override".
[[noreturn]] void refuse_value(const std::string& text) {
  const std::string name = text.substr(0, text.find_first_of(": "));
  if (name.rfind("--", 0) == 0) throw Error("{} has no value", name);
  throw Error("--{} takes no value; leave it out, or give --no-{}", name, name);
}

void check_values(const std::vector<SettingRow>& rows, const std::vector<CLI::Option*>& options) {
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].kind == SettingKind::kFlag) continue;
    // CLI11 takes the next word whatever it is.
    for (const std::string& word : options[i]->results())
      require(word.rfind("--", 0) != 0, "{} has no value; found {} in its place", rows[i].flag,
              word);
  }
}

}  // namespace

std::vector<SettingRow> setting_rows(Settings& settings) {
  RowLister lister;
  settings.visit(lister);
  return std::move(lister.rows);
}

CommandLine read_command_line(const CommandEntry& entry, const std::vector<std::string>& words,
                              Settings& settings) {
  const auto rows = setting_rows(settings);
  CLI::App app;
  app.set_help_flag("-h,--help");
  app.allow_extras();
  std::string recipe;
  if (entry.takes_recipe) app.add_option("--recipe", recipe);
  std::vector<CLI::Option*> options;
  for (const SettingRow& row : rows) options.push_back(declare(app, row));
  try {
    app.parse(std::vector<std::string>(words.rbegin(), words.rend()));
  } catch (const CLI::CallForHelp&) {
    return CommandLine::kHelpWanted;
  } catch (const CLI::ArgumentMismatch& error) {
    refuse_value(error.what());
  } catch (const CLI::ParseError& error) {
    throw Error(std::string(error.what()));
  }
  check_values(rows, options);
  if (!app.remaining().empty()) refuse(app.remaining().front(), rows, entry.takes_recipe);

  if (!recipe.empty()) settings_from_recipe(settings, recipe);
  for (size_t i = 0; i < rows.size(); ++i) {
    if (options[i]->count() == 0) continue;
    ordered_json one;
    one[rows[i].setting.name] = value_of(rows[i], options[i]->results());
    settings_from_json(settings, one, rows[i].flag);
  }
  const ordered_json values = settings_to_json(settings);
  for (const SettingRow& row : rows)
    require(!row.setting.required || !is_empty(values[row.setting.name]), "{} is not given: {}",
            row.flag, row.setting.help);
  check_settings(settings, "command line");
  return CommandLine::kReady;
}

}  // namespace scintigen
