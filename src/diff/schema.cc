#include "diff/schema.h"

#include <algorithm>
#include <array>

#include "diff/entries.h"

namespace dosql::diff {
namespace {

constexpr std::size_t kEncodingOffset = 56;
constexpr PageNo kSchemaRoot{1};
enum SchemaColumn { kType, kName, kTable, kRoot, kSql, kColumns };

void append_utf8(std::uint32_t point, std::string& text) {
  const auto put = [&text](std::uint32_t byte) { text += static_cast<char>(byte); };
  const auto put_rest = [&put](std::uint32_t bits) { put(0x80 | (bits & 0x3f)); };
  if (point < 0x80) return put(point);
  if (point < 0x800) {
    put(0xc0 | point >> 6);
  } else if (point < 0x10000) {
    put(0xe0 | point >> 12);
    put_rest(point >> 6);
  } else {
    put(0xf0 | point >> 18);
    put_rest(point >> 12);
    put_rest(point >> 6);
  }
  put_rest(point);
}

class Utf16 {
 public:
  Utf16(Bytes text, TextEncoding encoding) : text_(text), big_(encoding == TextEncoding::kUtf16BigEndian) {}

  std::string to_utf8() {
    std::string text;
    for (std::size_t i = 0; i < size(); ++i) {
      const std::uint32_t unit = at(i);
      const bool is_pair = is_high(unit) && i + 1 < size() && is_low(at(i + 1));
      if (is_pair) {
        append_utf8(0x10000 + ((unit & 0x3ff) << 10) + (at(++i) & 0x3ff), text);
      } else {
        append_utf8(is_high(unit) || is_low(unit) ? kReplacement : unit, text);
      }
    }
    return text;
  }

 private:
  static constexpr std::uint32_t kReplacement = 0xfffd;
  static bool is_high(std::uint32_t unit) { return (unit & 0xfc00) == 0xd800; }
  static bool is_low(std::uint32_t unit) { return (unit & 0xfc00) == 0xdc00; }
  std::size_t size() const { return text_.size() / 2; }
  std::uint32_t at(std::size_t i) const {
    const std::byte* const unit = text_.data() + i * 2;
    return big_ ? load_big16(unit) : load<std::uint16_t>(unit);
  }

  Bytes text_;
  bool big_;
};

std::string text_of(const Field& field, TextEncoding encoding) {
  return field.type == FieldType::kText ? utf8_text(field.bytes, encoding) : std::string();
}

Result<PageNo> root_of(const Field& field) {
  if (field.type != FieldType::kInteger) return PageNo{};
  if (field.integer < 0 || field.integer > 0xffff'ffff)
    return Error(ErrorCode::kCorrupt, "the schema names a page that there is not");
  return PageNo{static_cast<std::uint32_t>(field.integer)};
}

Result<SchemaEntry> entry_of(std::int64_t rowid, const std::vector<Field>& fields, TextEncoding encoding) {
  if (fields.size() < kColumns)
    return Error(ErrorCode::kCorrupt, "an entry of the schema has too few values");
  DOSQL_ASSIGN_OR_RETURN(const PageNo root, root_of(fields[kRoot]));
  return SchemaEntry{.rowid = rowid,
                     .type = text_of(fields[kType], encoding),
                     .name = text_of(fields[kName], encoding),
                     .table = text_of(fields[kTable], encoding),
                     .root = root,
                     .sql = text_of(fields[kSql], encoding)};
}

}  // namespace

std::string folded(std::string_view name) {
  std::string text(name);
  for (char& letter : text) {
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter + ('a' - 'A'));
  }
  return text;
}

Result<TextEncoding> text_encoding(version::Reader& reader) {
  std::array<std::byte, 4> encoding{};
  DOSQL_RETURN_IF_ERROR(reader.read(PageNo{1}, kEncodingOffset, encoding));
  const std::uint32_t number = load_big32(encoding.data());
  if (number == 0) return TextEncoding::kUtf8;
  if (number > 3) return malformed_page(PageNo{1}, "it names an encoding of text that there is not");
  return static_cast<TextEncoding>(number);
}

std::string utf8_text(Bytes text, TextEncoding encoding) {
  if (encoding == TextEncoding::kUtf8) return {reinterpret_cast<const char*>(text.data()), text.size()};
  return Utf16(text, encoding).to_utf8();
}

Result<std::vector<SchemaEntry>> read_schema(version::Reader& reader) {
  std::vector<SchemaEntry> schema;
  if (reader.point().page_count == 0) return schema;
  DOSQL_ASSIGN_OR_RETURN(const TextEncoding encoding, text_encoding(reader));
  VersionPages pages(reader);
  DOSQL_ASSIGN_OR_RETURN(Tree tree, Tree::open(pages, kSchemaRoot));
  if (!tree.is_table()) return malformed_page(kSchemaRoot, "the schema is not a table");
  DOSQL_RETURN_IF_ERROR(tree.open_where([](PageNo) { return true; }));
  Entries entries(std::move(tree), {});
  std::vector<Field> fields;
  while (true) {
    DOSQL_RETURN_IF_ERROR(entries.advance());
    if (entries.at_end()) return schema;
    DOSQL_ASSIGN_OR_RETURN(const Bytes record, entries.record());
    DOSQL_RETURN_IF_ERROR(decode_record(record, fields));
    DOSQL_ASSIGN_OR_RETURN(SchemaEntry entry, entry_of(entries.rowid(), fields, encoding));
    schema.push_back(std::move(entry));
  }
}

const SchemaEntry* find_table(const std::vector<SchemaEntry>& schema, std::string_view name) {
  const auto found = std::ranges::find_if(schema, [&, wanted = folded(name)](const SchemaEntry& entry) {
    return entry.type == "table" && folded(entry.name) == wanted;
  });
  return found == schema.end() ? nullptr : &*found;
}

}  // namespace dosql::diff
