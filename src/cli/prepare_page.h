// SPDX-License-Identifier: Apache-2.0
// The quality page of `prepare`, from the people's records.
#pragma once
#include <filesystem>

#include "core/settings.h"
#include "imaging/prepare.h"

namespace scintigen {

void write_prepare_page(const std::filesystem::path& file, const PreparePlan& plan,
                        const MergedPeople& people, Settings& settings);

}  // namespace scintigen
