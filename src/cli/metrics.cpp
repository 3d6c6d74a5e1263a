// SPDX-License-Identifier: Apache-2.0
// scintigen metrics: two volumes on one grid -> how alike they are, in numbers.
#include <fmt/ranges.h>

#include <future>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "core/device.h"
#include "core/error.h"
#include "core/progress.h"
#include "core/same_grid.h"
#include "core/volume_io.h"
#include "metrics/image_metrics.h"

namespace scintigen {
namespace {

using nlohmann::ordered_json;

class MetricsCommand : public Command {
 public:
  void visit(SettingsVisitor& v) override {
    v.visit(positional(required(text("a", "reference volume, NIfTI"))), names_.a);
    v.visit(positional(required(text("b", "volume compared with it, NIfTI, on the same grid"))),
            names_.b);
    v.visit(number("range",
                   "R, the width of the range that the values of both may take, in their unit; "
                   "required: PSNR and SSIM depend on it and no NIfTI file says it"),
            range_.width);
    v.visit(number("range_low",
                   "where that range begins: values outside [low, low + R] are counted, and LPIPS "
                   "maps the range to [-1,1]"),
            range_.low);
    v.visit(text("mask", "volume on the same grid, inside where it is not 0; NIfTI"), names_.mask);
    v.visit(
        text("lpips", "weights of LPIPS, a safetensors file (docs/methods.md names its tensors)"),
        weights_);
    v.visit(choice("lpips_network", "the network of those weights", {"alex", "vgg"}), network_);
    v.visit(flag("json", "print JSON instead of a table"), json_);
    v.visit(number("threads", "CPU threads; 0 = all processors this process may use", 0, 1024),
            threads_);
  }

  int run(const std::vector<std::string>&) override {
    DeviceSettings device;
    device.device = "cpu";
    device.threads = threads_;
    use_device(device);
    const auto pair = read_pair();
    require_range(pair);
    check_range(range_);
    const auto warnings = range_warnings(pair);
    for (const auto& warning : warnings) warn(warning);
    auto rows = image_metrics(pair, range_);
    if (!weights_.empty()) rows.push_back(measure_lpips(pair));
    if (json_)
      std::cout << report(rows, pair, warnings).dump(2, ' ', false, replace_bad_text) << "\n";
    else
      std::cout << heading(pair) << text_of(rows, pair);
    return 0;
  }

 private:
  static constexpr auto replace_bad_text = ordered_json::error_handler_t::replace;

  /// The files are unpacked side by side: that takes longer than the metrics.
  ImagePair read_pair() {
    const auto read = [](const std::string& name) {
      return std::async(std::launch::async, [name] {
        std::vector<std::string> notes;
        auto volume = read_volume(name, &notes);
        return std::pair(std::move(volume), std::move(notes));
      });
    };
    auto reading_a = read(names_.a), reading_b = read(names_.b);
    std::future<std::pair<Volume, std::vector<std::string>>> reading_mask;
    if (!names_.mask.empty()) reading_mask = read(names_.mask);
    const auto told = [](std::pair<Volume, std::vector<std::string>> found) {
      for (const auto& note : found.second) warn(note);
      return std::move(found.first);
    };
    const auto a = told(reading_a.get()), b = told(reading_b.get());
    require_same_grid(a, names_.a, b, names_.b);
    Volume mask;
    if (reading_mask.valid()) {
      mask = told(reading_mask.get());
      require_same_grid(a, names_.a, mask, names_.mask);
    }
    return image_pair(a.voxels, b.voxels, mask.voxels, names_);
  }

  void require_range(const ImagePair& pair) const {
    if (range_.width > 0) return;
    const auto a = value_span(pair.a), b = value_span(pair.b);
    throw Error(
        "--range: expected a number > 0, found {}; PSNR and SSIM depend on the width of the range "
        "that the values may take, and a NIfTI file does not say it: give the same for every image "
        "that is compared ({} holds {:.6g} to {:.6g}, {} holds {:.6g} to {:.6g})",
        range_.width == 0 ? std::string("none or 0") : fmt::format("{}", range_.width), names_.a,
        a.first, a.second, names_.b, b.first, b.second);
  }

  std::vector<std::string> range_warnings(const ImagePair& pair) const {
    std::vector<std::string> warnings;
    const auto look = [&](const torch::Tensor& image, const std::string& name) {
      const int64_t outside = voxels_outside(image, range_);
      if (outside == 0) return;
      const auto span = value_span(image);
      warnings.push_back(fmt::format(
          "{}: {} of {} voxels lie outside the range {} to {} (values from {:.6g} to {:.6g}); is "
          "--range right?",
          name, outside, image.numel(), range_.low, range_.low + range_.width, span.first,
          span.second));
    };
    look(pair.a, names_.a);
    look(pair.b, names_.b);
    return warnings;
  }

  MetricRow measure_lpips(const ImagePair& pair) const {
    const PerceptualDistance distance(read_tensors(weights_), network_ == "vgg"
                                                                  ? PerceptualNetwork::kVgg
                                                                  : PerceptualNetwork::kAlex);
    Progress progress("lpips", pair.slices_counted(), "slice");
    auto row = perceptual_metric(pair, range_, distance, [&] { progress.advance(); });
    row.parameters["network"] = network_;
    row.parameters["weights"] = weights_;
    return row;
  }

  static std::string shape_text(const ImagePair& pair) {
    return fmt::format("{} x {} x {}", pair.width(), pair.height(), pair.depth());
  }

  std::string heading(const ImagePair& pair) const {
    const auto line = [](const std::string& text) { return Error::one_line(text) + "\n"; };
    auto text =
        line(fmt::format("{} against {}: {} voxels, data range {} ({} to {})", names_.b, names_.a,
                         shape_text(pair), range_.width, range_.low, range_.low + range_.width));
    text += line(fmt::format(
        "by slice: {} of {} slices; left out where both hold one and the same value throughout",
        pair.slices_counted(), pair.depth()));
    if (pair.masked())
      text += line(
          fmt::format("mask {}: {} of {} voxels", names_.mask, pair.mask_voxels, pair.a.numel()));
    return text;
  }

  ordered_json report(const std::vector<MetricRow>& rows, const ImagePair& pair,
                      const std::vector<std::string>& warnings) const {
    ordered_json json = {{"a", names_.a},
                         {"b", names_.b},
                         {"shape", {pair.width(), pair.height(), pair.depth()}},
                         {"data_range", range_.width},
                         {"range_low", range_.low},
                         {"slices", pair.slices_counted()},
                         {"slices_left_out", pair.depth() - pair.slices_counted()}};
    const auto measured = json_of(rows, pair);
    for (const auto& [key, value] : measured.items()) json[key] = value;
    if (pair.masked()) json["mask"]["file"] = names_.mask;
    json["warnings"] = warnings;
    return json;
  }

  ImageNames names_{"", "", ""};
  DataRange range_;
  std::string weights_, network_ = "alex";
  bool json_ = false;
  int64_t threads_ = 0;
};

}  // namespace

CommandEntry metrics_command() {
  return {"metrics",
          "Measure how alike two volumes are: errors, PSNR, SSIM, LPIPS",
          "Compares `B` with the reference `A` voxel by voxel: RMSE, MAE, NRMSE, PSNR, SSIM in two "
          "conventions (by slice along the third axis, and in 3-D), multi-scale SSIM and, with "
          "weights, LPIPS; with `--mask` inside the mask as well. Each value is printed with the "
          "parameters that it depends on (docs/methods.md). `nrmse` is by the Euclidean norm of A. "
          "A metric that the images are too small for has no value and a note. Both volumes must "
          "lie on one grid. Writes no file.",
          "scintigen metrics real.nii.gz synthetic.nii.gz --range 1 --mask brain.nii.gz --json",
          [] { return std::unique_ptr<Command>(new MetricsCommand); },
          false};
}

}  // namespace scintigen
