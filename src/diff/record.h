// SQLite's record format: a row, or an entry of an index, as bytes (fileformat2.html, "Record Format").
//
// The bytes may come from a damaged or hostile file: all is checked, and nothing is read outside of them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <dosql/result.h>

#include "base/bytes.h"

namespace dosql::diff {

// A big-endian integer of 1 to 9 bytes; length 0: the bytes end before it does.
struct Varint {
  std::uint64_t value = 0;
  std::size_t length = 0;
};
Varint read_long_varint(Bytes bytes);
inline Varint read_varint(Bytes bytes) {
  if (!bytes.empty() && bytes[0] < std::byte{0x80}) [[likely]]
    return {std::to_integer<std::uint64_t>(bytes[0]), 1};
  return read_long_varint(bytes);
}

enum class FieldType : std::uint8_t { kNull, kInteger, kReal, kText, kBlob };

// One value of a record. It is what is stored, which a column's affinity may still change: a REAL column
// stores 2.0 as the integer 2, and an INTEGER PRIMARY KEY as NULL.
struct Field {
  FieldType type = FieldType::kNull;
  std::int64_t integer = 0;
  double real = 0;
  // TEXT in the database's encoding, or BLOB; a view of the record.
  Bytes bytes = {};
};

// Replaces `fields` by the record's values, which view `record`. A row that was written before ALTER TABLE
// ADD COLUMN has fewer than its table has columns. Errors: kCorrupt.
Status decode_record(Bytes record, std::vector<Field>& fields);

// Replaces `record` by the record of the values, each as SQLite stores it in a column without affinity.
void encode_record(std::span<const Field> fields, std::vector<std::byte>& record);

}  // namespace dosql::diff
