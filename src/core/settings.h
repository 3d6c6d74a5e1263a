// SPDX-License-Identifier: Apache-2.0
// Settings: each is declared once, in its struct's visit(); flags, recipe files, --help,
// docs/commands.md, run.json and checkpoint metadata are visitors over that one declaration.
#pragma once
#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace scintigen {

/// What is said about one setting beside its default (the member's initialiser) and its type (the
/// member's).
struct Setting {
  std::string name;  ///< snake_case; the flag is --kebab-case
  std::string help;  ///< one line with unit and, for a paper's value, its source
  double minimum = -std::numeric_limits<double>::infinity();  ///< numbers: inclusive
  double maximum = std::numeric_limits<double>::infinity();
  std::vector<std::string> choices;  ///< texts: allowed values, empty = any
  bool required = false;
  bool positional = false;  ///< command line: takes its value without a flag
};

/// Builders, so that a declaration reads as one line:
///   v.visit(number("batch_size", "slices per step (Werner 2022)", 1, 4096), batch_size);
///   v.visit(choice("precision", "arithmetic of the convolutions", {"float32", "bfloat16"}),
///   precision); v.visit(text("condition", "columns of the slice table, comma between them"),
///   condition); v.visit(flag("resume", "go on from the last checkpoint of --out"), resume);
Setting number(std::string name, std::string help,
               double minimum = -std::numeric_limits<double>::infinity(),
               double maximum = std::numeric_limits<double>::infinity());
Setting text(std::string name, std::string help);
Setting choice(std::string name, std::string help, std::vector<std::string> choices);
Setting flag(std::string name, std::string help);
Setting required(Setting setting);
Setting positional(Setting setting);

class SettingsVisitor {
 public:
  virtual ~SettingsVisitor() = default;
  virtual void visit(const Setting& setting, bool& value) = 0;
  virtual void visit(const Setting& setting, int64_t& value) = 0;
  virtual void visit(const Setting& setting, double& value) = 0;
  virtual void visit(const Setting& setting, std::string& value) = 0;
  virtual void visit(const Setting& setting, std::vector<std::string>& value) = 0;
  virtual void visit(const Setting& setting, std::vector<int64_t>& value) = 0;
};

/// Anything with settings derives from this and lists them in visit().
class Settings {
 public:
  virtual ~Settings() = default;
  virtual void visit(SettingsVisitor& visitor) = 0;
};

/// Name -> value of every setting (bool, integer, number, text, array).
nlohmann::ordered_json settings_to_json(Settings& settings);

/// Sets what `values` names and leaves the rest. `where` begins each message.
/// throws  Error: unknown key (names the nearest), wrong type, out of range, not a choice.
void settings_from_json(Settings& settings, const nlohmann::ordered_json& values,
                        const std::string& where);

/// Reads a flat TOML file (recipes/*.toml) into `settings`. Errors as settings_from_json, with the
/// file's name.
void settings_from_recipe(Settings& settings, const std::filesystem::path& recipe);

/// Checks ranges and choices of the values as they stand.
void check_settings(Settings& settings, const std::string& where);

}  // namespace scintigen
