#include "diff/key_order.h"

#include <algorithm>
#include <cstring>

namespace dosql::diff {
namespace {

template <class T>
int compare(const T& a, const T& b) {
  return a < b ? -1 : b < a ? 1 : 0;
}

// A double cannot hold every integer, nor an integer every double.
int compare_mixed(std::int64_t integer, double real) {
  constexpr double kBeyond = 9223372036854775808.0;
  if (real < -kBeyond) return 1;
  if (real >= kBeyond) return -1;
  const auto whole = static_cast<std::int64_t>(real);
  if (const int order = compare(integer, whole); order != 0) return order;
  return compare(static_cast<double>(integer), real);
}

bool is_number(const Field& field) {
  return field.type == FieldType::kInteger || field.type == FieldType::kReal;
}

int compare_numbers(const Field& a, const Field& b) {
  if (a.type == b.type)
    return a.type == FieldType::kInteger ? compare(a.integer, b.integer) : compare(a.real, b.real);
  return a.type == FieldType::kInteger ? compare_mixed(a.integer, b.real) : -compare_mixed(b.integer, a.real);
}

std::byte lower(std::byte byte) {
  const auto letter = std::to_integer<unsigned char>(byte);
  return letter >= 'A' && letter <= 'Z' ? static_cast<std::byte>(letter + ('a' - 'A')) : byte;
}

Bytes without_spaces_at_end(Bytes bytes) {
  while (!bytes.empty() && bytes.back() == std::byte{' '}) bytes = bytes.first(bytes.size() - 1);
  return bytes;
}

}  // namespace

int compare_binary(Bytes a, Bytes b) {
  const std::size_t shared = std::min(a.size(), b.size());
  const int order = shared == 0 ? 0 : std::memcmp(a.data(), b.data(), shared);
  return order != 0 ? order : compare(a.size(), b.size());
}

int compare_nocase(Bytes a, Bytes b) {
  const std::size_t shared = std::min(a.size(), b.size());
  for (std::size_t i = 0; i < shared; ++i) {
    if (const int order = compare(lower(a[i]), lower(b[i])); order != 0) return order;
  }
  return compare(a.size(), b.size());
}

int compare_rtrim(Bytes a, Bytes b) {
  return compare_binary(without_spaces_at_end(a), without_spaces_at_end(b));
}

int compare_fields(const Field& a, const Field& b, const Collation& collation) {
  if (is_number(a) && is_number(b)) return compare_numbers(a, b);
  // The types are declared in their order, but for the two that are numbers.
  const auto rank = [](const Field& field) { return is_number(field) ? FieldType::kInteger : field.type; };
  if (const int order = compare(rank(a), rank(b)); order != 0) return order;
  if (a.type == FieldType::kNull) return 0;
  return a.type == FieldType::kText ? collation(a.bytes, b.bytes) : compare_binary(a.bytes, b.bytes);
}

int compare_keys(std::span<const Field> a, std::span<const Field> b, std::span<const KeyColumn> columns) {
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const int order = compare_fields(a[i], b[i], columns[i].collation);
    if (order != 0) return columns[i].descending ? -order : order;
  }
  return 0;
}

}  // namespace dosql::diff
