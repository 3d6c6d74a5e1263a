// SPDX-License-Identifier: Apache-2.0
// Named tensors in a file: weights, optimiser state, prepared cohorts, goldens.
// Does: the safetensors format (8-byte header length, JSON header, raw little-endian data), checked
// and atomic. Does not: pickle, TorchScript, any code in a file.
#pragma once
#include <torch/types.h>

#include <filesystem>
#include <map>
#include <string>

namespace scintigen {

/// What a file holds. Tensors are contiguous CPU tensors; names sort.
struct TensorFile {
  std::map<std::string, torch::Tensor> tensors;
  std::map<std::string, std::string> metadata;  ///< "__metadata__": text to text

  /// throws Error naming the file's missing tensor and the nearest name.
  const torch::Tensor& at(const std::string& name) const;
  std::string source;  ///< path, for messages
};

/// Reads a whole file. dtypes F64 F32 F16 BF16 I64 I32 I16 I8 U8 BOOL.
/// throws  Error: missing, shorter than its header says, header over 100 MB or not JSON, unknown
/// dtype, negative or
///         overflowing shape, offsets that overlap, leave gaps, run past the end or disagree with
///         shape x dtype.
/// Source  https://github.com/huggingface/safetensors (format section)
/// Checked tests/core/test_safetensors.cpp (round trip, corrupted files), golden written by another
/// implementation
TensorFile read_tensors(const std::filesystem::path& path);

/// Atomic. Any device and memory format in; contiguous data out.
void write_tensors(const std::filesystem::path& path,
                   const std::map<std::string, torch::Tensor>& tensors,
                   const std::map<std::string, std::string>& metadata = {});

}  // namespace scintigen
