// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "core/random.h"
#include "core/safetensors.h"
#include "core/temporary_folder.h"

using namespace scintigen;

namespace {

std::string with_length(const std::string& header, const std::string& data = "") {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(header.size() >> (8 * i));
  return bytes + header + data;
}

std::string entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return "{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
}

void expect_refused(const std::string& bytes, const std::string& part) {
  TemporaryFolder folder;
  const auto path = put_bytes(folder / "x.safetensors", bytes);
  EXPECT_REFUSED(read_tensors(path), part);
}

}  // namespace

TEST(Safetensors, GoldenOfAnotherWriter) {  // tools/make_golden_core.py
  const TensorFile file = read_tensors(SCINTIGEN_TEST_GOLDEN "/core/every_dtype.safetensors");
  const std::map<std::string, torch::ScalarType> types = {
      {"f64", torch::kDouble},    {"f32", torch::kFloat}, {"f16", torch::kHalf},
      {"bf16", torch::kBFloat16}, {"i64", torch::kLong},  {"i32", torch::kInt},
      {"i16", torch::kShort},     {"i8", torch::kChar},   {"u8", torch::kByte},
      {"bool", torch::kBool}};
  const torch::Tensor ramp = torch::arange(6, torch::kDouble).view({2, 3});
  for (const auto& [name, type] : types) {
    const torch::Tensor& tensor = file.at(name);
    EXPECT_EQ(tensor.scalar_type(), type) << name;
    const torch::Tensor expected = name == "u8"     ? ramp
                                   : name == "bool" ? (ramp > 3).to(torch::kDouble)
                                                    : ramp - 3;
    EXPECT_TRUE(torch::equal(tensor.to(torch::kDouble), expected)) << name;
  }
  EXPECT_EQ(file.at("scalar").dim(), 0);
  EXPECT_EQ(file.at("scalar").item<float>(), 2.5f);
  EXPECT_EQ(file.at("empty").sizes(), (torch::IntArrayRef{0, 4}));
  EXPECT_EQ(file.tensors.size(), 12u);
  EXPECT_EQ(file.metadata.at("a key"), "text \xC3\xA9");
  EXPECT_REFUSED(file.at("f23"), "no tensor 'f23' among its 12; did you mean 'f32'?");
}

TEST(Safetensors, RoundTripOfAnyLayout) {
  TemporaryFolder folder;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Random random(seed, "tensors");
    std::map<std::string, torch::Tensor> tensors;
    for (const auto type :
         {torch::kDouble, torch::kFloat, torch::kHalf, torch::kBFloat16, torch::kLong, torch::kInt,
          torch::kShort, torch::kChar, torch::kByte, torch::kBool}) {
      std::vector<int64_t> shape;
      for (int64_t d = random.integer(0, 4); d > 0; --d) shape.push_back(random.integer(0, 5));
      torch::Tensor tensor = (random.uniform_tensor(shape) * 100).to(type);
      if (tensor.dim() == 4) tensor = tensor.contiguous(torch::MemoryFormat::ChannelsLast);
      if (tensor.dim() == 2) tensor = tensor.t();
      tensors[std::string("layer.") + torch::toString(type)] = tensor;
    }
    write_tensors(folder / "new/x.safetensors", tensors, {{"step", "12"}, {"quote", "\"\\\n"}});
    const TensorFile back = read_tensors(folder / "new/x.safetensors");
    ASSERT_EQ(back.tensors.size(), tensors.size());
    for (const auto& [name, tensor] : tensors) {
      EXPECT_TRUE(back.at(name).is_contiguous());
      EXPECT_EQ(back.at(name).scalar_type(), tensor.scalar_type());
      EXPECT_TRUE(torch::equal(back.at(name), tensor)) << name;
    }
    EXPECT_EQ(back.metadata,
              (std::map<std::string, std::string>{{"step", "12"}, {"quote", "\"\\\n"}}));
  }
  write_tensors(folder / "none.safetensors", {});
  EXPECT_EQ(read_tensors(folder / "none.safetensors").tensors.size(), 0u);
}

TEST(Safetensors, EveryTensorLiesAtAMultipleOfItsElementSize) {
  TemporaryFolder folder;
  write_tensors(folder / "x", {{"a", torch::ones({3}, torch::kByte)},
                               {"b", torch::full({1}, 1.5, torch::kDouble)},
                               {"c", torch::ones({1}, torch::kHalf)}});
  const std::string bytes = bytes_of(folder / "x");
  const double wanted = 1.5;
  const size_t place = bytes.find(std::string(reinterpret_cast<const char*>(&wanted), 8), 8);
  ASSERT_NE(place, std::string::npos);
  EXPECT_EQ(place % 8, 0u);
  EXPECT_EQ(bytes.size(), place + 8 + 2 + 3);
}

TEST(Safetensors, RefusesDamagedFiles) {
  TemporaryFolder folder;
  EXPECT_REFUSED(read_tensors(folder / "none"), "none: no such file");
  EXPECT_REFUSED(read_tensors(folder.path()), "not a regular file");
  expect_refused("", "0 bytes only; not a safetensors file");
  expect_refused("abc", "3 bytes only");
  expect_refused("PK\3\4pickled weights of another program", "claims a header of");
  expect_refused(std::string("\xFF\0\0\0\0\0\0\0{}", 10),
                 "cut short; expected a header of 255 bytes, found 2");
  expect_refused(with_length("{\"a\":"), "header is not JSON");
  expect_refused(with_length("[]"), "not a JSON object");
  expect_refused(with_length("{\"a\":1}"), "'a' lacks dtype, shape or data_offsets");
  expect_refused(with_length("{\"a\":{\"b\":{\"c\":{\"d\":{}}}}}"), "nested too deeply");
  expect_refused(with_length(std::string(100000, '[')), "nested too deeply");
  expect_refused(with_length("{\"a\":" + entry("F32", "[1]", "[0,4]") +
                                 ",\"a\":" + entry("F32", "[1]", "[0,4]") + "}",
                             "0123"),
                 "'a' is in the header twice");
  expect_refused(with_length("{\"a\":" + entry("F8_E4M3", "[1]", "[0,1]") + "}", "0"),
                 "has dtype \"F8_E4M3\"; expected one of");
  expect_refused(with_length("{\"a\":" + entry("F32", "[-1]", "[0,4]") + "}", "0123"),
                 "not a whole number >= 0");
  expect_refused(with_length("{\"a\":" + entry("F32", "[1.5]", "[0,4]") + "}", "0123"),
                 "not a whole number >= 0");
  expect_refused(
      with_length("{\"a\":" + entry("F32", "[4294967296,4294967296]", "[0,4]") + "}", "0123"),
      "impossible shape");
  expect_refused(
      with_length("{\"a\":" + entry("F32", "[18446744073709551615]", "[0,4]") + "}", "0123"),
      "not a whole number");
  expect_refused(
      with_length("{\"a\":" + entry("F32", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[0,4]") + "}",
                  "0123"),
      "17 dimensions");
  expect_refused(with_length("{\"a\":" + entry("F32", "[2]", "[0,4]") + "}", "0123"),
                 "needs 8 bytes");
  expect_refused(with_length("{\"a\":" + entry("F32", "[1]", "[4,0]") + "}", "0123"),
                 "data_offsets give 4 to 0");
  expect_refused(with_length("{\"a\":" + entry("F32", "[1]", "[0,4]") + "}", "012"),
                 "describes 4 bytes of data, found 3");
  expect_refused(with_length("{\"a\":" + entry("F32", "[1]", "[0,4]") + "}", "01234"),
                 "describes 4 bytes of data, found 5");
  expect_refused(with_length("{\"a\":" + entry("U8", "[2]", "[0,2]") +
                                 ",\"b\":" + entry("U8", "[2]", "[1,3]") + "}",
                             "012"),
                 "overlap");
  expect_refused(with_length("{\"a\":" + entry("U8", "[1]", "[0,1]") +
                                 ",\"b\":" + entry("U8", "[1]", "[2,3]") + "}",
                             "012"),
                 "gap");
  expect_refused(with_length("{\"a\":" + entry("BOOL", "[1]", "[0,1]") + "}", "\2"),
                 "bytes other than 0 and 1");
  expect_refused(with_length("{\"__metadata__\":{\"a\":1}}"), "__metadata__ 'a' is not text");
  expect_refused(with_length("{\"__metadata__\":[]}"), "__metadata__ is not an object");
}

TEST(Safetensors, AnyDamageIsAnErrorOrAFile) {
  TemporaryFolder folder;
  const std::string whole = bytes_of(SCINTIGEN_TEST_GOLDEN "/core/every_dtype.safetensors");
  for (size_t length = 0; length < whole.size(); length += 7)
    EXPECT_NE(refusal([&] { read_tensors(put_bytes(folder / "x", whole.substr(0, length))); }), "")
        << length;
  for (uint64_t seed = 0; seed < 1500; ++seed) {
    Random random(seed, "damage");
    std::string bytes = whole;
    for (int64_t i = random.integer(1, 3); i > 0; --i)
      bytes[static_cast<size_t>(random.integer(0, 900))] =
          static_cast<char>(random.integer(0, 255));
    try {
      read_tensors(put_bytes(folder / "x", bytes));
    } catch (const Error&) {
    }  // anything else fails the test
  }
}

TEST(Safetensors, RefusesToWriteWhatTheFormatLacks) {
  TemporaryFolder folder;
  EXPECT_REFUSED(write_tensors(folder / "x", {{"a", torch::Tensor()}}),
                 "'a' is undefined or sparse");
  EXPECT_REFUSED(write_tensors(folder / "x", {{"a", torch::zeros({1}, torch::kComplexFloat)}}),
                 "dtype the format lacks");
  EXPECT_REFUSED(write_tensors(folder / "x", {{"__metadata__", torch::zeros({1})}}),
                 "cannot be named");
  EXPECT_REFUSED(write_tensors(folder / "x", {{"\xFF", torch::zeros({1})}}), "not UTF-8");
  EXPECT_FALSE(std::filesystem::exists(folder / "x"));
}
