// SPDX-License-Identifier: Apache-2.0
// Memory that a thread keeps between calls: on cache-line borders (a vector across two lines costs
// double), its pages mapped once.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace scintigen {

template <class T>
class AlignedRoom {
 public:
  /// At least `count` elements; what they hold is undefined.
  T* of(int64_t count) {
    if (count > size_) {
      memory_.reset();
      memory_.reset(
          static_cast<T*>(::operator new(static_cast<size_t>(count) * sizeof(T), kAlignment)));
      size_ = count;
    }
    return memory_.get();
  }

 private:
  static constexpr std::align_val_t kAlignment{64};
  struct Release {
    void operator()(T* p) const { ::operator delete(p, kAlignment); }
  };
  std::unique_ptr<T, Release> memory_;
  int64_t size_ = 0;
};

}  // namespace scintigen
