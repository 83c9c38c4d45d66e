#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "apps/dosql/column_guess.h"
#include "apps/dosql/csv_reader.h"
#include "apps/dosql/import.h"
#include "apps/dosql/text.h"

namespace dosql::shell {

namespace {

// How many odd records are named one by one.
constexpr std::uint64_t kMaxWarnings = 5;

class CsvImport {
 public:
  CsvImport(Connection& connection, const ImportOptions& options, InputFile& file, Console& console,
            ProgressBar& progress)
      : connection_(connection), options_(options), file_(file), console_(console), progress_(progress) {}

  Status run() {
    DOSQL_ASSIGN_OR_RETURN(target_, find_import_target(connection_, options_));
    const bool create = target_.columns.empty();
    if (create) DOSQL_RETURN_IF_ERROR(create_table());
    DOSQL_RETURN_IF_ERROR(insert_rows(create));
    if (odd_records_ > kMaxWarnings)
      console_.warning(
          fmt::format("{} more records like these", with_thousands(odd_records_ - kMaxWarnings)));
    return {};
  }

  std::uint64_t rows() const { return rows_; }

 private:
  Result<bool> next(CsvReader& reader, CsvRecord& record) {
    if (!progress_.update(position_before_ + file_.position(), work_bytes_)) {
      return Error(ErrorCode::kInterrupted, "interrupted; nothing was imported");
    }
    return reader.next(record);
  }

  Status skip(CsvReader& reader, CsvRecord& record) {
    for (std::uint64_t i = 0; i < options_.skip; ++i) {
      DOSQL_ASSIGN_OR_RETURN(const bool more, next(reader, record));
      if (!more) break;
    }
    return {};
  }

  // Reads the file once for the names and types; it stands at its start again afterwards.
  Status create_table() {
    CsvReader reader(file_, options_.separator);
    CsvRecord record;
    work_bytes_ = 2 * file_.size_bytes();
    DOSQL_RETURN_IF_ERROR(skip(reader, record));
    DOSQL_ASSIGN_OR_RETURN(bool more, next(reader, record));
    if (!more)
      return Error(ErrorCode::kInvalidArgument,
                   fmt::format("'{}' is empty: no column names for a new table", options_.file));
    std::vector<std::string> names;
    for (const std::string_view field : record.fields) names.emplace_back(trim(field));
    std::vector<ColumnGuess> guesses(names.size());
    for (;;) {
      DOSQL_ASSIGN_OR_RETURN(more, next(reader, record));
      if (!more) break;
      const std::size_t fields = std::min(record.fields.size(), guesses.size());
      for (std::size_t i = 0; i < fields; ++i) guesses[i].see(record.fields[i]);
    }
    std::vector<std::string> types;
    for (const ColumnGuess& guess : guesses) types.emplace_back(guess.type());
    position_before_ = file_.position();
    DOSQL_RETURN_IF_ERROR(file_.rewind());
    return create_import_table(connection_, target_, std::move(names), types);
  }

  Status insert_rows(bool created) {
    if (!created) work_bytes_ = file_.size_bytes();
    DOSQL_ASSIGN_OR_RETURN(Statement insert, connection_.prepare(insert_statement(target_)));
    CsvReader reader(file_, options_.separator);
    CsvRecord record;
    DOSQL_RETURN_IF_ERROR(skip(reader, record));
    for (bool first = true;; first = false) {
      DOSQL_ASSIGN_OR_RETURN(const bool more, next(reader, record));
      if (!more) return {};
      if (first && (created || repeats_names(record))) continue;
      if (record.blank() && target_.columns.size() > 1) continue;
      DOSQL_RETURN_IF_ERROR(insert_row(insert, record));
    }
  }

  bool repeats_names(const CsvRecord& record) const {
    return std::equal(record.fields.begin(), record.fields.end(), target_.columns.begin(),
                      target_.columns.end(), [](std::string_view field, std::string_view name) {
                        return equals_ignoring_case(trim(field), name);
                      });
  }

  Status insert_row(Statement& insert, const CsvRecord& record) {
    warn_if_odd(record);
    for (std::size_t i = 0; i < target_.columns.size(); ++i) {
      const Value value = i < record.fields.size() ? value_of(record.fields[i], target_.numeric[i]) : Value();
      DOSQL_RETURN_IF_ERROR(insert.bind(static_cast<int>(i) + 1, value));
    }
    const auto done = insert.step();
    if (!done) return row_error(done.error(), fmt::format("{}:{}", options_.file, record.line));
    ++rows_;
    return {};
  }

  // Text that is a number becomes one by the column's affinity; plain integers take the short way.
  static Value value_of(std::string_view field, bool numeric) {
    if (!numeric) return Value(field);
    if (field.empty()) return {};
    const bool plain = field.size() < 19 && field[0] != '0' && field[0] != '-';
    if (const auto number = plain ? parse_signed(field) : std::nullopt) return Value(*number);
    return Value(field);
  }

  void warn_if_odd(const CsvRecord& record) {
    const std::size_t expected = target_.columns.size();
    const std::size_t fields = record.fields.size();
    if (fields == expected && !record.stray_quote) return;
    if (++odd_records_ > kMaxWarnings) return;
    const std::string where = fmt::format("{}:{}", options_.file, record.line);
    if (record.stray_quote)
      console_.warning(fmt::format("{}: text behind a closing quote, taken as it is", where));
    else if (fields < expected)
      console_.warning(fmt::format("{}: {} of {} fields, the rest is NULL", where, fields, expected));
    else
      console_.warning(
          fmt::format("{}: {} fields for {} columns, the rest is dropped", where, fields, expected));
  }

  Connection& connection_;
  const ImportOptions& options_;
  InputFile& file_;
  Console& console_;
  ProgressBar& progress_;
  ImportTarget target_;
  std::uint64_t rows_ = 0;
  std::uint64_t odd_records_ = 0;
  std::uint64_t work_bytes_ = 0;       // to be read in all passes
  std::uint64_t position_before_ = 0;  // read in earlier passes
};

}  // namespace

Result<std::uint64_t> import_csv(Connection& connection, const ImportOptions& options, Console& console,
                                 ProgressBar& progress) {
  DOSQL_ASSIGN_OR_RETURN(InputFile file, InputFile::open(options.file));
  CsvImport import(connection, options, file, console, progress);
  DOSQL_RETURN_IF_ERROR(connection.transaction([&](Connection&) { return import.run(); }));
  return import.rows();
}

}  // namespace dosql::shell
