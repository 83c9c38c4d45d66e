// What sqlite_schema of a version says, read from its pages without SQLite.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <dosql/result.h>

#include "base/ids.h"
#include "version/version_store.h"

namespace dosql::diff {

// Text is UTF-8, whatever the database's encoding.
struct SchemaEntry {
  std::int64_t rowid = 0;
  std::string type;  // "table", "index", "view" or "trigger"
  std::string name;
  std::string table;  // whose index or trigger it is; its own name
  PageNo root{};      // 0: it has no pages (a view, a trigger, a virtual table)
  std::string sql;    // empty for the indexes that a constraint makes

  friend bool operator==(const SchemaEntry&, const SchemaEntry&) = default;
};

enum class TextEncoding : std::uint8_t { kUtf8 = 1, kUtf16LittleEndian = 2, kUtf16BigEndian = 3 };

// That of the version which the reader has pinned; the empty database's is UTF-8. Errors: kCorrupt, kIo.
Result<TextEncoding> text_encoding(version::Reader& reader);

// The bytes of a TEXT value as UTF-8; what is no UTF-16 becomes U+FFFD.
std::string utf8_text(Bytes text, TextEncoding encoding);

// In the order in which they are stored: mostly that of their creation. Errors: kCorrupt, kIo.
Result<std::vector<SchemaEntry>> read_schema(version::Reader& reader);

// The table of that name, in any case of ASCII letters as for SQLite. Null: there is none.
const SchemaEntry* find_table(const std::vector<SchemaEntry>& schema, std::string_view name);

// A name as SQLite compares them: ASCII letters in lower case.
std::string folded(std::string_view name);

}  // namespace dosql::diff
