#include "diff/record.h"

#include <bit>
#include <cmath>
#include <string>

namespace dosql::diff {
namespace {

// More columns than SQLite can be compiled to allow.
constexpr std::size_t kFieldsMax = 32'767;

constexpr std::uint64_t kZero = 8;
constexpr std::uint64_t kOne = 9;
constexpr std::uint64_t kReal = 7;
constexpr std::uint64_t kFirstSized = 12;  // even: BLOB, odd: TEXT

Error malformed(const char* what) {
  return Error(ErrorCode::kCorrupt, std::string("a record is malformed: ") + what);
}

std::uint64_t bytes_of_type(std::uint64_t type) {
  constexpr std::uint8_t kBytes[kFirstSized] = {0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0};
  return type < kFirstSized ? kBytes[type] : (type - kFirstSized) / 2;
}

std::int64_t signed_integer(Bytes bytes) {
  std::uint64_t value = std::to_integer<std::uint8_t>(bytes[0]) & 0x80 ? ~std::uint64_t{0} : 0;
  for (const std::byte byte : bytes) value = value << 8 | std::to_integer<std::uint64_t>(byte);
  return static_cast<std::int64_t>(value);
}

Field real_field(Bytes bytes) {
  Field field{.type = FieldType::kReal, .real = std::bit_cast<double>(signed_integer(bytes))};
  // As SQLite reads it.
  if (std::isnan(field.real)) field = {};
  return field;
}

Field field_of(std::uint64_t type, Bytes bytes) {
  if (type == 0) return {};
  if (type == kZero || type == kOne)
    return {.type = FieldType::kInteger, .integer = static_cast<std::int64_t>(type - kZero)};
  if (type == kReal) return real_field(bytes);
  if (type < kFirstSized) return {.type = FieldType::kInteger, .integer = signed_integer(bytes)};
  return {.type = type % 2 == 0 ? FieldType::kBlob : FieldType::kText, .bytes = bytes};
}

}  // namespace

Varint read_varint(Bytes bytes) {
  Varint varint;
  for (std::size_t i = 0; i < bytes.size() && i < 9; ++i) {
    const auto byte = std::to_integer<std::uint64_t>(bytes[i]);
    if (i == 8) return {varint.value << 8 | byte, 9};
    varint.value = varint.value << 7 | (byte & 0x7f);
    if (byte < 0x80) return {varint.value, i + 1};
  }
  return {};
}

Status decode_record(Bytes record, std::vector<Field>& fields) {
  fields.clear();
  const Varint header_bytes = read_varint(record);
  if (header_bytes.length == 0 || header_bytes.value < header_bytes.length ||
      header_bytes.value > record.size())
    return malformed("its header does not fit");
  Bytes types = record.subspan(header_bytes.length, header_bytes.value - header_bytes.length);
  Bytes content = record.subspan(header_bytes.value);
  while (!types.empty()) {
    const Varint type = read_varint(types);
    if (type.length == 0 || type.value == 10 || type.value == 11)
      return malformed("a type that there is not");
    const std::uint64_t bytes = bytes_of_type(type.value);
    if (bytes > content.size()) return malformed("a value does not fit");
    if (fields.size() == kFieldsMax) return malformed("too many values");
    fields.push_back(field_of(type.value, content.first(bytes)));
    types = types.subspan(type.length);
    content = content.subspan(bytes);
  }
  return {};
}

}  // namespace dosql::diff
