// SPDX-License-Identifier: Apache-2.0
#include "training/rate_schedule.h"

#include <algorithm>

namespace scintigen {

double rate_factor(int64_t epoch, int64_t constant, int64_t decay) {
  if (decay == 0) return 1;
  const auto past = static_cast<double>(std::max<int64_t>(0, epoch + 1 - constant));
  return std::max(0.0, 1 - past / static_cast<double>(decay + 1));
}

}  // namespace scintigen
