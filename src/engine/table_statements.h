// What a merge asks of one table and does to it, as statements that are compiled once.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <dosql/result.h>

#include "engine/merged_table.h"
#include "engine/own_statement.h"
#include "engine/row_copy.h"

namespace dosql::engine {

class ConnectionState;

struct FoundRow {
  std::int64_t rowid = 0;  // of a table that has them
  RowCopy row;
};

enum class Effect : std::uint8_t {
  kDone,
  kOtherRow,    // there is no such row, or not with these values
  kConstraint,  // a constraint was in the way: constraint_code()
};

// One thread at a time, as its connection. Errors of all: what SQLite reports, but constraints.
class TableStatements {
 public:
  // All must outlive it.
  TableStatements(ConnectionState& connection, const MergedTable& table, diff::TextEncoding encoding)
      : connection_(connection), table_(table), encoding_(encoding) {}
  TableStatements(const TableStatements&) = delete;
  TableStatements& operator=(const TableStatements&) = delete;

  // None: there is no such row.
  Result<std::optional<FoundRow>> find(const RowAddress& row);

  // Gives `columns`, ascending, their values in `to`, if they have those in `from` now. The values are
  // compared as SQL compares them: see compares_exactly().
  Result<Effect> update(const RowAddress& row, std::span<const std::uint32_t> columns,
                        std::span<const diff::Field> from, std::span<const diff::Field> to);
  // If it has these values.
  Result<Effect> erase(const RowAddress& row, std::span<const diff::Field> from);

  enum class Columns : std::uint8_t {
    kAll,
    kTheirs,  // what theirs does not have gets its DEFAULT
  };
  // With that rowid, in a table whose rows are known by another key or none; none: the next free one.
  Result<Effect> insert(Columns columns, std::optional<std::int64_t> rowid,
                        std::span<const diff::Field> values);

  // A row that keeps such a row out, by any UNIQUE constraint or index; none: something else does. REQUIRES:
  // no virtual table, insert() says kConstraint about it.
  Result<std::optional<FoundRow>> find_in_the_way(Columns columns, std::span<const diff::Field> values);

  // Of the newest kConstraint: SQLite's extended code, and what it says.
  int constraint_code() const { return constraint_code_; }
  const std::string& constraint_text() const { return constraint_text_; }

  // Whether a value of this column that SQL takes to be the same is the same.
  bool compares_exactly(std::uint32_t column, const diff::Field& value) const;

 private:
  Result<OwnStatement*> find_statement(bool by_rowid);
  Result<OwnStatement*> erase_statement(bool by_rowid);
  void no_columns(std::string& names, std::string& values) const;
  Result<OwnStatement*> insert_statement(Columns columns, bool with_rowid);
  Result<OwnStatement*> in_the_way_statement(Columns columns);
  Result<OwnStatement*> update_statement(bool by_rowid, std::span<const std::uint32_t> columns);
  int bind(OwnStatement& statement, const RowAddress& row, int first_parameter) const {
    return bind_address(statement, table_, row, encoding_, first_parameter);
  }
  void bind_values(OwnStatement& statement, Columns columns, std::span<const diff::Field> values,
                   int parameter) const;
  FoundRow take_row(OwnStatement& statement) const;
  Result<Effect> run(OwnStatement& statement);

  ConnectionState& connection_;
  const MergedTable& table_;
  const diff::TextEncoding encoding_;
  std::array<std::optional<OwnStatement>, 2> find_;
  std::array<std::optional<OwnStatement>, 2> erase_;
  std::array<std::array<std::optional<OwnStatement>, 2>, 2> insert_;
  std::array<std::optional<OwnStatement>, 2> in_the_way_;

  using Updates = std::map<std::vector<std::uint32_t>, OwnStatement>;
  std::array<Updates, 2> updates_;
  std::array<Updates::iterator, 2> last_update_{updates_[0].end(), updates_[1].end()};

  int constraint_code_ = 0;
  std::string constraint_text_;
};

}  // namespace dosql::engine
