#include <algorithm>

#include <fmt/format.h>

#include "apps/dosql/import.h"
#include "apps/dosql/text.h"

namespace dosql::shell {

namespace {

// How many rows pass between two looks at Ctrl-C and the progress bar.
constexpr std::uint64_t kRowsPerLook = 256;

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// What the values of one key are; SQLite's JSON functions do the reading.
struct KeyFacts {
  std::string key;
  std::int64_t objects = 0, integers = 0, reals = 0, texts = 0, nulls = 0;

  std::string type() const {
    const std::int64_t values = objects - nulls;
    if (values == 0 || texts == values) return "TEXT";
    if (integers == values) return "INTEGER";
    if (integers + reals == values) return "REAL";
    return "";  // mixed: each value keeps its own type
  }
};

class JsonImport {
 public:
  JsonImport(Connection& connection, const ImportOptions& options, ProgressBar& progress)
      : connection_(connection), options_(options), progress_(progress) {}

  Status run(std::string text) {
    if (std::string_view(text).starts_with(kByteOrderMark)) text.erase(0, kByteOrderMark.size());
    if (trim(text).starts_with('{')) {
      DOSQL_ASSIGN_OR_RETURN(const std::int64_t position, error_position(text));
      text = position == 0 ? "[" + text + "]" : lines_as_array(text);
    }
    DOSQL_RETURN_IF_ERROR(parse(text));
    DOSQL_ASSIGN_OR_RETURN(const std::vector<KeyFacts> keys, read_keys());
    DOSQL_ASSIGN_OR_RETURN(ImportTarget target, find_import_target(connection_, options_));
    std::vector<std::string> names;
    std::vector<std::string> types;
    for (const KeyFacts& facts : keys) {
      names.push_back(facts.key);
      types.push_back(facts.type());
    }
    if (names.empty())
      return Error(ErrorCode::kInvalidArgument, fmt::format("'{}' holds no objects", options_.file));
    if (target.columns.empty())
      DOSQL_RETURN_IF_ERROR(create_import_table(connection_, target, names, types));
    else
      target.columns = names;  // a key without a column is the INSERT's error
    return insert_rows(target, names);
  }

  std::uint64_t rows() const { return rows_; }

 private:
  // One object per line becomes an array, with the same line ends.
  static std::string lines_as_array(const std::string& text) {
    std::string array = "[";
    bool object_before = false;
    for (std::string_view rest = text; !rest.empty();) {
      const std::size_t line_bytes = std::min(rest.find('\n'), rest.size() - 1) + 1;
      const bool object = trim(rest.substr(0, line_bytes)).starts_with('{');
      if (object && object_before) array += ',';
      object_before = object_before || object;
      array += rest.substr(0, line_bytes);
      rest.remove_prefix(line_bytes);
    }
    return array + "]";
  }

  // Of a query that always has one row.
  Result<Row> only_row(std::string_view sql, const Value& parameter) {
    DOSQL_ASSIGN_OR_RETURN(Rows rows, connection_.query(sql, parameter));
    if (rows.size() == 1) return std::move(rows.front());
    return Error(ErrorCode::kInternal, fmt::format("{} rows instead of one", rows.size()));
  }

  // In characters, from 1; 0: it is well-formed.
  Result<std::int64_t> error_position(const std::string& text) {
    DOSQL_ASSIGN_OR_RETURN(const Row place, only_row("SELECT json_error_position(?1)", Value(text)));
    return place[0].integer();
  }

  // Turns the text into SQLite's parsed form, so that the queries to come need not parse it again.
  Status parse(const std::string& text) {
    DOSQL_ASSIGN_OR_RETURN(const std::int64_t position, error_position(text));
    if (position != 0) {
      return Error(ErrorCode::kInvalidArgument,
                   fmt::format("{}:{}: not well-formed JSON", options_.file, line_of(text, position)));
    }
    DOSQL_ASSIGN_OR_RETURN(const Row parsed, only_row("SELECT jsonb(?1)", Value(text)));
    json_ = parsed[0];
    return {};
  }

  // The position counts characters from 1.
  static std::size_t line_of(const std::string& text, std::int64_t position) {
    std::size_t line = 1;
    std::int64_t character = 0;
    for (const char c : text) {
      const bool starts_character = (static_cast<unsigned char>(c) & 0xC0) != 0x80;
      if (starts_character && ++character >= position) break;
      if (c == '\n') ++line;
    }
    return line;
  }

  Result<std::vector<KeyFacts>> read_keys() {
    DOSQL_ASSIGN_OR_RETURN(
        const Row shape,
        only_row("SELECT json_type(?1), count(*), total(type <> 'object') FROM json_each(?1)", json_));
    if (shape[0] != Value("array") || shape[2].real() > 0) {
      return Error(ErrorCode::kInvalidArgument,
                   fmt::format("'{}' is not an array of objects", options_.file));
    }
    total_rows_ = static_cast<std::uint64_t>(shape[1].integer());
    DOSQL_ASSIGN_OR_RETURN(
        const Rows rows,
        connection_.query(
            "SELECT k.key, count(*), total(k.type IN ('integer', 'true', 'false')), total(k.type = 'real'), "
            "total(k.type IN ('text', 'object', 'array')), total(k.type = 'null') "
            "FROM json_each(?1) AS r, json_each(r.value) AS k GROUP BY k.key ORDER BY min((r.id << 32) + "
            "k.id)",
            json_));
    std::vector<KeyFacts> keys;
    for (const Row& row : rows) {
      const auto number = [&row](std::size_t column) {
        return static_cast<std::int64_t>(row[column].real());
      };
      keys.push_back({row[0].text(), row[1].integer(), number(2), number(3), number(4), number(5)});
    }
    return keys;
  }

  // A key in a JSON path is written as in JSON.
  static std::string path_of(std::string_view key) {
    std::string path = "$.\"";
    for (const char c : key) {
      if (c == '"' || c == '\\') path += '\\';
      path += c;
    }
    return path + "\"";
  }

  Status insert_rows(const ImportTarget& target, const std::vector<std::string>& keys) {
    DOSQL_ASSIGN_OR_RETURN(Statement insert, connection_.prepare(insert_statement(target)));
    std::string values;
    for (const std::string& key : keys) {
      values +=
          fmt::format("{}json_extract(value, {})", values.empty() ? "" : ", ", quote_text(path_of(key)));
    }
    DOSQL_ASSIGN_OR_RETURN(Statement objects,
                           connection_.prepare(fmt::format("SELECT {} FROM json_each(?1)", values)));
    DOSQL_RETURN_IF_ERROR(objects.bind(1, json_));
    for (;;) {
      if (rows_ % kRowsPerLook == 0 && !progress_.update(rows_, total_rows_)) {
        return Error(ErrorCode::kInterrupted, "interrupted; nothing was imported");
      }
      DOSQL_ASSIGN_OR_RETURN(const bool more, objects.step());
      if (!more) return {};
      DOSQL_RETURN_IF_ERROR(insert_row(insert, objects));
    }
  }

  Status insert_row(Statement& insert, const Statement& object) {
    for (int column = 0; column < object.column_count(); ++column) {
      DOSQL_RETURN_IF_ERROR(insert.bind(column + 1, object.value(column)));
    }
    const auto done = insert.step();
    if (!done) return row_error(done.error(), fmt::format("{}: object {}", options_.file, rows_ + 1));
    ++rows_;
    return {};
  }

  Connection& connection_;
  const ImportOptions& options_;
  ProgressBar& progress_;
  Value json_;
  std::uint64_t rows_ = 0;
  std::uint64_t total_rows_ = 0;
};

}  // namespace

Result<std::uint64_t> import_json(Connection& connection, const ImportOptions& options,
                                  ProgressBar& progress) {
  DOSQL_ASSIGN_OR_RETURN(InputFile file, InputFile::open(options.file));
  DOSQL_ASSIGN_OR_RETURN(std::string text, file.read_all());
  JsonImport import(connection, options, progress);
  DOSQL_RETURN_IF_ERROR(connection.transaction([&](Connection&) { return import.run(std::move(text)); }));
  return import.rows();
}

}  // namespace dosql::shell
