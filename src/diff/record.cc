#include "diff/record.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <string>

#include "diff/record_types.h"

namespace dosql::diff {
namespace {

using record_type::kFirstSized;
using record_type::kInteger64;
using record_type::kOne;
using record_type::kReal;
using record_type::kZero;

// More columns than SQLite can be compiled to allow.
constexpr std::size_t kFieldsMax = 32'767;

Error malformed(const char* what) {
  return Error(ErrorCode::kCorrupt, std::string("a record is malformed: ") + what);
}

std::int64_t signed_integer(Bytes bytes) {
  // Its bytes at the top of a word, and then down again with their sign.
  std::uint64_t value = 0;
  std::memcpy(&value, bytes.data(), bytes.size());
  return static_cast<std::int64_t>(__builtin_bswap64(value)) >> (64 - 8 * bytes.size());
}

void set_integer(Field& field, std::int64_t integer) {
  field.type = FieldType::kInteger;
  field.integer = integer;
}

void set_real(Field& field, double real) {
  // As SQLite reads it.
  if (std::isnan(real)) return;
  field.type = FieldType::kReal;
  field.real = real;
}

// REQUIRES: the field is NULL.
void set_field(Field& field, std::uint64_t type, Bytes bytes) {
  if (type == 0) return;
  if (type == kZero || type == kOne) return set_integer(field, static_cast<std::int64_t>(type - kZero));
  if (type == kReal) return set_real(field, std::bit_cast<double>(signed_integer(bytes)));
  if (type < kFirstSized) return set_integer(field, signed_integer(bytes));
  field.type = type % 2 == 0 ? FieldType::kBlob : FieldType::kText;
  field.bytes = bytes;
}

// The shortest of the sizes that integers have.
std::uint64_t type_of_integer(std::int64_t integer) {
  if (integer == 0 || integer == 1) return kZero + static_cast<std::uint64_t>(integer);
  for (std::uint64_t type = 1; type < kInteger64; ++type) {
    const std::uint64_t bits = record_type::bytes_of(type) * 8 - 1;
    if (integer >> bits == 0 || integer >> bits == -1) return type;
  }
  return kInteger64;
}

std::uint64_t type_of(const Field& field) {
  switch (field.type) {
    case FieldType::kNull: break;
    case FieldType::kInteger: return type_of_integer(field.integer);
    case FieldType::kReal: return kReal;
    case FieldType::kBlob: return kFirstSized + 2 * field.bytes.size();
    case FieldType::kText: return kFirstSized + 2 * field.bytes.size() + 1;
  }
  return 0;
}

void append_integer(std::int64_t integer, std::uint64_t bytes, std::vector<std::byte>& out) {
  for (std::uint64_t i = bytes; i-- > 0;) out.push_back(static_cast<std::byte>(integer >> (8 * i)));
}

void append_value(const Field& field, std::uint64_t type, std::vector<std::byte>& out) {
  if (field.type == FieldType::kInteger) append_integer(field.integer, record_type::bytes_of(type), out);
  if (field.type == FieldType::kReal) append_integer(std::bit_cast<std::int64_t>(field.real), 8, out);
  out.insert(out.end(), field.bytes.begin(), field.bytes.end());
}

// REQUIRES of both: below 2^56, as all sizes are.
std::size_t varint_bytes(std::uint64_t value) {
  std::size_t bytes = 1;
  while (value >> (7 * bytes) != 0) ++bytes;
  return bytes;
}

void append_varint(std::uint64_t value, std::vector<std::byte>& out) {
  for (std::size_t i = varint_bytes(value); i-- > 0;)
    out.push_back(static_cast<std::byte>((value >> (7 * i) & 0x7f) | (i > 0 ? 0x80 : 0)));
}

}  // namespace

Varint read_long_varint(Bytes bytes) {
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
    if (type.length == 0 || !record_type::exists(type.value)) return malformed("a type that there is not");
    const std::uint64_t bytes = record_type::bytes_of(type.value);
    if (bytes > content.size()) return malformed("a value does not fit");
    if (fields.size() == kFieldsMax) return malformed("too many values");
    set_field(fields.emplace_back(), type.value, content.first(bytes));
    types = types.subspan(type.length);
    content = content.subspan(bytes);
  }
  return {};
}

void encode_record(std::span<const Field> fields, std::vector<std::byte>& record) {
  std::size_t types_bytes = 0;
  std::size_t content_bytes = 0;
  for (const Field& field : fields) {
    const std::uint64_t type = type_of(field);
    types_bytes += varint_bytes(type);
    content_bytes += record_type::bytes_of(type);
  }
  // The header's size counts itself.
  std::size_t size_bytes = 1;
  while (varint_bytes(types_bytes + size_bytes) > size_bytes) ++size_bytes;
  record.clear();
  record.reserve(size_bytes + types_bytes + content_bytes);
  append_varint(types_bytes + size_bytes, record);
  for (const Field& field : fields) append_varint(type_of(field), record);
  for (const Field& field : fields) append_value(field, type_of(field), record);
}

}  // namespace dosql::diff
