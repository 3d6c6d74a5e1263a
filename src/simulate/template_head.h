// SPDX-License-Identifier: Apache-2.0
// The head that every simulated person is made from: Colin 27 with its AAL labels (Debian's
// mricron-data), or another T1, brain and label image in MNI space.
// Does: tissue fractions, regions, vascular territories, skull and scalp.
// Does not: sub-cortical or brain-stem nuclei that the label image does not name.
#pragma once
#include <string>
#include <vector>

#include "core/settings.h"
#include "simulate/coarse_field.h"

namespace scintigen {

struct TemplateSettings : Settings {
  std::string template_head = "/usr/share/mricron/templates/ch2.nii.gz";
  std::string template_brain = "/usr/share/mricron/templates/ch2bet.nii.gz";
  std::string template_labels = "/usr/share/mricron/templates/aal.nii.gz";
  std::string template_names = "/usr/share/mricron/templates/aal.nii.txt";
  void visit(SettingsVisitor& visitor) override;
};

/// What a label's name says about uptake and blood supply.
enum class Structure : uint8_t {
  kCortex,
  kVisual,
  kMedialTemporal,
  kCaudate,
  kPutamen,
  kPallidum,
  kThalamus,
  kCerebellum,
  kBrainStem
};
enum class Territory : uint8_t { kNone, kAnterior, kMiddle, kPosterior };
enum class Side : uint8_t { kMiddle, kLeft, kRight };

struct Region {
  std::string name;  ///< of both sides: "Frontal_Sup"
  Structure structure = Structure::kCortex;
  Territory territory = Territory::kNone;
  Side side = Side::kMiddle;
  size_t pair = 0;  ///< the same number for left and right
};

/// What fills one voxel of the template. Fractions are 0..1; in the brain gray + white + csf = 1;
/// csf is also the fluid around it.
struct TemplateVoxel {
  float gray = 0, white = 0, csf = 0;
  float skull = 0, scalp = 0;  ///< scalp is all soft tissue outside brain and skull
  float sulcal = 0;            ///< 0 deep in tissue .. 1 beside fluid: what ageing widens
  float t1 = 0;                ///< the head as scanned, white matter 1
  float unused = 0;            ///< eight numbers: one vector
};

struct TemplateHead {
  Grid grid;
  std::vector<Region> regions;       ///< regions[0] is "no region"
  std::vector<TemplateVoxel> voxel;  ///< fractions averaged over about 2 mm; t1 as it is
  std::vector<uint8_t> region;       ///< index into regions; every brain voxel has one
  CoarseField ventricle_pull{3};     ///< towards the ventricles, longest 1
  CoarseField watershed{1};          ///< 1 on the borders of territories in the cerebrum
  double gray_t1 = 0, csf_t1 = 0;    ///< as t1

  size_t pairs() const;  ///< number of different Region::pair
  /// Region at a point (mm), 0 outside the brain.
  size_t region_at(const Point& at) const;
};

/// Tissue: a mixture of three Gaussians fitted to the brain's histogram gives the classes' means;
/// fractions are linear between neighbouring means (partial volume), and nuclei named by a label
/// are gray matter at least to 85 %. Labels grow through the brain, six neighbours at a time, until
/// every voxel that is connected with one has a label; brain without one in the place of the brain
/// stem is brain stem.
/// throws  Error: a file missing, of another grid or not finite, voxels that are not about 1 mm, a
///         label without a name, tissue classes or ventricles that cannot be seen
/// Time    about 1.5 s, 400 MB
TemplateHead load_template(const TemplateSettings& settings);

}  // namespace scintigen
