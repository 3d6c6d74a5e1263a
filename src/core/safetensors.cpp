// SPDX-License-Identifier: Apache-2.0
#include "core/safetensors.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>
#include <vector>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/table.h"

namespace scintigen {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr uint64_t kLimitHeader = 100'000'000;  // the format's own limit
constexpr size_t kMostDimensions = 16;

struct DtypeName {
  const char* name;
  torch::ScalarType type;
};

constexpr DtypeName kDtypes[] = {{"F64", torch::kDouble}, {"F32", torch::kFloat},
                                 {"F16", torch::kHalf},   {"BF16", torch::kBFloat16},
                                 {"I64", torch::kLong},   {"I32", torch::kInt},
                                 {"I16", torch::kShort},  {"I8", torch::kChar},
                                 {"U8", torch::kByte},    {"BOOL", torch::kBool}};

struct Entry {
  std::string name;
  torch::ScalarType type = torch::kFloat;
  std::vector<int64_t> shape;
  uint64_t begin = 0, end = 0;
};

/// Refuses what the library's parser would take: names that come twice (it keeps the last) and deep
/// nesting.
json parse_header(const std::string& text, const std::string& where) {
  std::vector<std::set<std::string>> names;
  const auto watch = [&](int depth, json::parse_event_t event, json& parsed) {
    require(depth <= 3, "{}: header is nested too deeply; not a safetensors file", where);
    if (event == json::parse_event_t::object_start) names.emplace_back();
    if (event == json::parse_event_t::object_end) names.pop_back();
    if (event == json::parse_event_t::key)
      require(names.back().insert(parsed.get<std::string>()).second,
              "{}: name '{}' is in the header twice", where, parsed.get<std::string>());
    return true;
  };
  try {
    json header = json::parse(text, watch);
    require(header.is_object(), "{}: header is not a JSON object; not a safetensors file", where);
    return header;
  } catch (const json::exception&) {
    throw Error("{}: header is not JSON; not a safetensors file, or a damaged one", where);
  }
}

torch::ScalarType dtype_named(const json& value, const std::string& where,
                              const std::string& name) {
  if (value.is_string())
    for (const DtypeName& known : kDtypes)
      if (value.get<std::string>() == known.name) return known.type;
  throw Error(
      "{}: tensor '{}' has dtype {}; expected one of F64 F32 F16 BF16 I64 I32 I16 I8 U8 BOOL",
      where, name, value.dump(-1, ' ', true, json::error_handler_t::replace));
}

uint64_t natural(const json& value, const std::string& where, const std::string& name) {
  require(value.is_number_unsigned() &&
              value.get<uint64_t>() <= uint64_t{std::numeric_limits<int64_t>::max()},
          "{}: tensor '{}' has a shape or offset that is not a whole number >= 0", where, name);
  return value.get<uint64_t>();
}

Entry read_entry(const std::string& name, const json& value, const std::string& where) {
  const bool complete = value.is_object() && value.contains("dtype") && value.contains("shape") &&
                        value["shape"].is_array() && value.contains("data_offsets") &&
                        value["data_offsets"].is_array() && value["data_offsets"].size() == 2;
  require(complete, "{}: tensor '{}' lacks dtype, shape or data_offsets", where, name);
  Entry entry;
  entry.name = name;
  entry.type = dtype_named(value["dtype"], where, name);
  require(value["shape"].size() <= kMostDimensions, "{}: tensor '{}' has {} dimensions; at most {}",
          where, name, value["shape"].size(), kMostDimensions);
  uint64_t bytes = torch::elementSize(entry.type);
  bool overflows = false, empty = false;
  for (const json& side : value["shape"]) {
    const uint64_t length = natural(side, where, name);
    entry.shape.push_back(static_cast<int64_t>(length));
    empty = empty || length == 0;
    if (length > 0) overflows = overflows || __builtin_mul_overflow(bytes, length, &bytes);
  }
  require(!overflows && bytes <= uint64_t{std::numeric_limits<int64_t>::max()},
          "{}: tensor '{}' has an impossible shape {}", where, name, value["shape"].dump());
  if (empty) bytes = 0;
  entry.begin = natural(value["data_offsets"][0], where, name);
  entry.end = natural(value["data_offsets"][1], where, name);
  require(entry.begin <= entry.end && entry.end - entry.begin == bytes,
          "{}: tensor '{}' needs {} bytes by its shape and dtype; data_offsets give {} to {}",
          where, name, bytes, entry.begin, entry.end);
  return entry;
}

/// Sorted by place; they must fill the data without gap or overlap.
std::vector<Entry> read_entries(const json& header, uint64_t data_bytes, const std::string& where) {
  std::vector<Entry> entries;
  for (const auto& [name, value] : header.items())
    if (name != "__metadata__") entries.push_back(read_entry(name, value, where));
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
  });
  uint64_t place = 0;
  for (const Entry& entry : entries) {
    require(entry.begin == place, "{}: tensor '{}' starts at byte {}; expected {} ({})", where,
            entry.name, entry.begin, place, entry.begin < place ? "overlap" : "gap");
    place = entry.end;
  }
  require(place == data_bytes,
          "{}: damaged or cut short; its header describes {} bytes of data, found {}", where, place,
          data_bytes);
  return entries;
}

torch::Tensor read_data(std::ifstream& file, const Entry& entry, const std::string& where) {
  torch::Tensor tensor;
  try {
    tensor = torch::empty(entry.shape, torch::TensorOptions().dtype(entry.type));
  } catch (const std::exception&) {  // c10::Error or bad_alloc
    throw Error("{}: no memory for tensor '{}' of {} bytes", where, entry.name,
                entry.end - entry.begin);
  }
  const auto bytes = static_cast<std::streamsize>(entry.end - entry.begin);
  if (bytes == 0) return tensor;
  file.read(static_cast<char*>(tensor.data_ptr()), bytes);
  require(file.gcount() == bytes, "{}: cannot be read to its end", where);
  if (entry.type == torch::kBool) {
    const auto* flags = static_cast<const uint8_t*>(tensor.data_ptr());
    require(std::all_of(flags, flags + bytes, [](uint8_t flag) { return flag <= 1; }),
            "{}: tensor '{}' is BOOL but holds bytes other than 0 and 1", where, entry.name);
  }
  return tensor;
}

const char* dtype_name(const torch::Tensor& tensor, const std::string& name,
                       const std::string& where) {
  require(tensor.defined() && tensor.layout() == torch::kStrided,
          "{}: tensor '{}' is undefined or sparse and cannot be written", where, name);
  for (const DtypeName& known : kDtypes)
    if (known.type == tensor.scalar_type()) return known.name;
  throw Error("{}: tensor '{}' has a dtype the format lacks ({})", where, name,
              torch::toString(tensor.scalar_type()));
}

uint64_t bytes_of(const torch::Tensor& tensor) {
  return static_cast<uint64_t>(tensor.numel()) * tensor.element_size();
}

}  // namespace

const torch::Tensor& TensorFile::at(const std::string& name) const {
  const auto found = tensors.find(name);
  if (found != tensors.end()) return found->second;
  std::vector<std::string> names;
  for (const auto& [known, tensor] : tensors) names.push_back(known);
  const auto near = nearest_word(name, names);
  throw Error("{}: no tensor '{}' among its {}{}", source, name, names.size(),
              near ? "; did you mean '" + *near + "'?" : std::string());
}

TensorFile read_tensors(const std::filesystem::path& path) {
  const std::string where = path.string();
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  require(std::filesystem::exists(status), "{}: no such file", where);
  require(std::filesystem::is_regular_file(status), "{}: not a regular file", where);
  const uint64_t size = std::filesystem::file_size(path, error);
  std::ifstream file(path, std::ios::binary);
  require(!error && file.good(), "{}: cannot be opened: {}", where, std::strerror(errno));
  uint8_t length_bytes[8] = {};
  file.read(reinterpret_cast<char*>(length_bytes), 8);
  require(file.gcount() == 8, "{}: {} bytes only; not a safetensors file", where, size);
  uint64_t length = 0;
  for (int i = 7; i >= 0; --i) length = length << 8 | length_bytes[i];
  require(length <= kLimitHeader, "{}: claims a header of {} bytes; not a safetensors file", where,
          length);
  require(length <= size - 8, "{}: cut short; expected a header of {} bytes, found {}", where,
          length, size - 8);
  std::string text(length, '\0');
  file.read(text.data(), static_cast<std::streamsize>(length));
  require(static_cast<uint64_t>(file.gcount()) == length, "{}: cannot be read", where);

  const json header = parse_header(text, where);
  TensorFile result;
  result.source = where;
  if (header.contains("__metadata__")) {
    require(header["__metadata__"].is_object(), "{}: __metadata__ is not an object", where);
    for (const auto& [key, value] : header["__metadata__"].items()) {
      require(value.is_string(), "{}: __metadata__ '{}' is not text", where, key);
      result.metadata[key] = value.get<std::string>();
    }
  }
  for (const Entry& entry : read_entries(header, size - 8 - length, where))
    result.tensors[entry.name] = read_data(file, entry, where);
  return result;
}

void write_tensors(const std::filesystem::path& path,
                   const std::map<std::string, torch::Tensor>& tensors,
                   const std::map<std::string, std::string>& metadata) {
  const std::string where = path.string();
  // Widest elements first, so that every tensor lies at a multiple of its element size (readers
  // that map the file).
  std::vector<std::pair<std::string, torch::Tensor>> ordered(tensors.begin(), tensors.end());
  for (const auto& [name, tensor] : ordered) dtype_name(tensor, name, where);
  std::stable_sort(ordered.begin(), ordered.end(), [](const auto& a, const auto& b) {
    return a.second.element_size() > b.second.element_size();
  });
  ordered_json header = ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  uint64_t place = 0;
  for (const auto& [name, tensor] : ordered) {
    require(name != "__metadata__", "{}: a tensor cannot be named __metadata__", where);
    const uint64_t end = place + bytes_of(tensor);
    header[name] = {{"dtype", dtype_name(tensor, name, where)},
                    {"shape", tensor.sizes().vec()},
                    {"data_offsets", {place, end}}};
    place = end;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const json::exception&) {
    throw Error("{}: a tensor's name or metadata is not UTF-8 text", where);
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');
  require(text.size() <= kLimitHeader, "{}: header over {} bytes", where, kLimitHeader);

  if (path.has_parent_path()) {
    std::error_code error;
    std::filesystem::create_directories(path.parent_path(), error);
    require(!error, "{}: its folder cannot be made: {}", where, error.message());
  }
  AtomicFile file(path);
  uint8_t length_bytes[8];
  for (int i = 0; i < 8; ++i) length_bytes[i] = static_cast<uint8_t>(text.size() >> (8 * i));
  file.write(length_bytes, 8);
  file.write(text);
  for (const auto& [name, tensor] : ordered) {
    const torch::Tensor plain =
        tensor.detach().to(torch::kCPU).contiguous(torch::MemoryFormat::Contiguous);
    file.write(plain.data_ptr(), bytes_of(plain));
  }
  file.commit();
}

}  // namespace scintigen
