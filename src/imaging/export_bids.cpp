// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/nifti.h"
#include "core/run_record.h"
#include "imaging/export.h"

namespace scintigen {
namespace {

using Json = nlohmann::ordered_json;

/// Made if it is not there; else it must be ours.
void describe_data_set(const ExportSettings& settings,
                       std::vector<std::filesystem::path>& written) {
  const std::filesystem::path folder(settings.out), path = folder / "dataset_description.json";
  if (std::filesystem::exists(path)) {
    const auto found = Json::parse(read_file(path, 1 << 20), nullptr, false);
    const bool ours = found.is_object() && found.value("DatasetType", "") == "derivative" &&
                      found.contains("GeneratedBy") && found["GeneratedBy"].is_array() &&
                      !found["GeneratedBy"].empty() && found["GeneratedBy"][0].is_object() &&
                      found["GeneratedBy"][0].value("Name", "") == "scintigen";
    require(ours, "{}: not a derivative of scintigen; name another folder", path.string());
    return;
  }
  std::error_code error;
  require(!std::filesystem::exists(folder) || std::filesystem::is_empty(folder, error),
          "{}: holds files but no dataset_description.json; name a new folder", settings.out);
  Json text = {{"Name", settings.synthetic ? "Synthetic scans" : "Derived scans"},
               {"BIDSVersion", "1.8.0"},
               {"DatasetType", "derivative"},
               {"GeneratedBy", {{{"Name", "scintigen"}, {"Version", kVersion}}}}};
  text["SourceDatasets"] = Json::array();
  if (!settings.source_dataset.empty())
    text["SourceDatasets"].push_back({{"URL", settings.source_dataset}});
  write_file(path, text.dump(2) + "\n");
  written.push_back(path);
}

}  // namespace

std::vector<std::filesystem::path> export_bids(const ExportSettings& settings,
                                               const Volume& volume) {
  const bool pet = settings.modality == "PT";
  const std::filesystem::path root(settings.out);
  std::string name = "sub-" + settings.participant;
  std::filesystem::path folder = root / name;
  if (!settings.session.empty()) {
    folder /= "ses-" + settings.session;
    name += "_ses-" + settings.session;
  }
  folder /= pet ? "pet" : "spect";
  if (!settings.tracer.empty()) name += "_trc-" + settings.tracer;
  if (!settings.space.empty()) name += "_space-" + settings.space;
  name +=
      fmt::format("_desc-{}_{}", settings.synthetic ? "synth" : "derived", pet ? "pet" : "spect");
  const auto image = folder / (name + ".nii.gz"), sidecar = folder / (name + ".json");
  for (const auto& path : {image, sidecar})
    require(!std::filesystem::exists(path), "{}: is there already; name another folder",
            path.string());

  std::vector<std::filesystem::path> written;
  describe_data_set(settings, written);
  if (!pet && !std::filesystem::exists(root / ".bidsignore")) {  // BIDS has no SPECT
    write_file(root / ".bidsignore", "**/spect/\n");
    written.push_back(root / ".bidsignore");
  }
  Json text = {{"Description", export_description(settings.synthetic)},
               {"SyntheticData", settings.synthetic},
               {"Modality", pet ? "PT" : "NM"}};
  if (!settings.tracer.empty()) text["TracerName"] = settings.tracer;
  if (!settings.unit.empty()) text["Units"] = settings.unit;
  write_file(sidecar, text.dump(2) + "\n");
  write_nifti(image, volume, export_description(settings.synthetic));  // last: it makes the scan
  written.push_back(sidecar);
  written.push_back(image);
  return written;
}

}  // namespace scintigen
