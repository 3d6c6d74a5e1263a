// SPDX-License-Identifier: Apache-2.0
#include "imaging/prepare_records.h"

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/run_record.h"

namespace scintigen {
namespace {

constexpr uint64_t kLargestRecord = 64u << 20;
constexpr size_t kShortestName = 3;  // "12" names nobody, and stands in many a message
constexpr int kWorkVersion = 2;      // raised when the same scans and settings give other voxels

void replace_all(std::string& text, const std::string& what, const std::string& by) {
  if (what.empty()) return;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
}

}  // namespace

PatientRecord settings_that_matter(PrepareSettings settings) {
  struct Adapter : Settings {
    PrepareSettings* of = nullptr;
    void visit(SettingsVisitor& visitor) override { of->visit(visitor); }
  } adapter;
  adapter.of = &settings;
  auto json = settings_to_json(adapter);
  for (const char* name :
       {"input", "table", "out", "participants", "pick", "jobs", "shard", "merge", "dry_run"})
    json.erase(name);
  return json;
}

std::string settings_key(const PrepareSettings& settings) {
  auto text = fmt::format("{} {}", kVersion, kWorkVersion) + settings_that_matter(settings).dump();
  for (const auto& file : {settings.template_head, settings.template_brain,
                           settings.template_labels, settings.template_names, settings.grid}) {
    std::error_code error;
    if (std::filesystem::is_regular_file(file, error)) text += "\n" + sha256_of_file(file);
  }
  return sha256_of_bytes(text);
}

std::string person_key(const PatientPlan& patient, const std::string& of_settings) {
  std::string text = of_settings;
  for (const auto& scan : patient.scans) {
    text += "\n" + scan.session + "\t" + scan.modality + "\t" + scan.unit + "\t" + scan.tracer;
    if (!scan.file.empty()) text += "\t" + sha256_of_file(scan.file);
    for (const auto& file : scan.series.files) text += "\t" + sha256_of_file(file);
  }
  return sha256_of_bytes(text);
}

PatientRecord read_record(const PrepareSettings& settings, const std::string& participant_id) {
  const auto file = record_file(settings.out, participant_id);
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error)) return PatientRecord::object();
  auto record = PatientRecord::parse(read_file(file, kLargestRecord), nullptr, false);
  const auto is_text = [&](const char* key) {
    return record.contains(key) && record[key].is_string();
  };
  const bool whole = record.is_object() && is_text("participant_id") && is_text("settings_key") &&
                     (is_text("failed") ||
                      (is_text("key") && record.contains("scans") && record["scans"].is_array()));
  return whole ? record : PatientRecord::object();
}

void write_record(const PrepareSettings& settings, const PatientRecord& record) {
  write_file(record_file(settings.out, record["participant_id"].get<std::string>()),
             record.dump(1, ' ', false, PatientRecord::error_handler_t::replace) + "\n");
}

std::filesystem::path numbering_file(const std::filesystem::path& out) {
  return out / "patients" / "numbering.tsv";
}

std::set<std::filesystem::path> files_of(const PatientRecord& record,
                                         const PrepareSettings& settings) {
  std::set<std::filesystem::path> files;
  for (const auto& scan : record.value("scans", PatientRecord::array()))
    for (const auto& made : scan.value("volumes", PatientRecord::array()))
      for (const char* what : {"file", "mask_file", "scaling_file"}) {
        const auto name = made.value(what, std::string());
        const std::filesystem::path path(name);
        const bool inside = path.is_relative() && name.find("..") == std::string::npos;
        if (!name.empty() && inside)
          files.insert(std::filesystem::path(settings.out) / made.value("space", "") / path);
      }
  return files;
}

std::string without_paths(std::string text, const DicomSeries& series) {
  std::set<std::string> folders;
  for (size_t n = 0; n < series.files.size(); ++n) {
    const auto by = fmt::format("DICOM file {} of {}", n + 1, series.files.size());
    replace_all(text, series.files[n].string(), by);
    const auto name = series.files[n].filename().string();
    if (name.size() > kShortestName) replace_all(text, name, by);
    folders.insert(series.files[n].parent_path().string());
  }
  for (const auto& folder : folders) replace_all(text, folder, "its folder");
  return text;
}

}  // namespace scintigen
