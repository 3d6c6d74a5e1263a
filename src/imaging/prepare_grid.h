// SPDX-License-Identifier: Apache-2.0
// The grids that prepared volumes lie on.
#pragma once
#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/grid.h"
#include "core/spatial_map.h"

namespace scintigen {

/// Voxels of `spacing_mm` along the axes of `reference` (canonical orientation), `matrix` of them,
/// centred on the box of `mask` (> 0, same grid; of the whole reference where undefined) and placed
/// so that voxels of a reference of that spacing are met exactly: then nothing is interpolated.
/// Axes of a sheared reference are made orthogonal.
Grid grid_around(const Volume& reference, const Volume& mask, const std::array<int64_t, 3>& matrix,
                 double spacing_mm);

/// The slices of `reference` as they lie, with pixels of `spacing_mm` over its field of view (a
/// part pixel at the far edges is dropped). Of a reference of that pixel: its own grid.
Grid same_slices(const Volume& reference, double spacing_mm);

/// MNI space, x -78..78, y -112..76, z -70..85 mm: 157 x 189 x 156 voxels at 1 mm, the box of
/// SPM12.
Grid template_grid(double spacing_mm);

/// The grid of the file of --grid, stored as RAS: the same voxel centres, whatever order the file
/// keeps them in.
/// throws  Error: as read_grid(); a side not 8..1024, a voxel not 0.25..16 mm, axes that are not
///         orthogonal
Grid output_grid(const std::filesystem::path& file);

/// Brings `source` onto `target` with one interpolation; blurs before, along each axis of the
/// source on which the target's voxels are wider (to that width, Gaussian), clamps the spline's
/// overshoot to the range of the source, and says in `steps` what it did, grids before and after.
Volume onto_grid(const Volume& source, const Grid& target, const SpatialMap& target_to_source,
                 const std::string& interpolation, std::vector<std::string>& steps);

}  // namespace scintigen
