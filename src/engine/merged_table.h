// A table as a merge leaves it: which columns its rows have, and by what they are known.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/own_statement.h"
#include "engine/table_shape.h"
#include "merge/keyed_changes.h"
#include "version/version_store.h"

namespace dosql::engine {

struct MergedColumn {
  std::string name;
  Affinity affinity = Affinity::kBlob;
  std::string collation = "BINARY";
  bool in_theirs = true;
};

// By the names in the version that is merged into. Generated columns are none of its columns.
struct MergedTable {
  struct Key {
    std::uint32_t column = 0;
    std::string collation;
  };

  // By what it is known in other versions than base.
  struct Origin {
    version::ReadPoint base;
    std::int64_t schema_rowid = 0;  // in base
  };

  // One of the versions that are merged. Its columns by those of the merged table; none: it has not that one.
  struct Place {
    version::ReadPoint version;
    std::string table;
    std::vector<std::optional<std::size_t>> columns = {};
  };
  using Places = std::vector<Place>;

  std::string name;
  std::optional<Origin> origin = {};  // none: base has not the table
  // What any version calls the table, and its columns, follows from these; null: that is not known.
  std::shared_ptr<const Places> places = {};
  // Who looks for a row in a version does so in what that calls the table, whatever it is called here.
  bool follows_names = false;
  std::vector<MergedColumn> columns;
  // The PRIMARY KEY; empty: rows are known by their rowid.
  std::vector<Key> key;
  // An INTEGER PRIMARY KEY: the rowid under another name.
  std::optional<std::uint32_t> rowid_column;
  // What SQL calls the rowid; empty: the table has none, or hides it behind columns of all its names.
  std::string rowid_name;
  bool autoincrement = false;
  bool is_virtual = false;
  // Columns that ours had dropped and that come back with their definition: a row that ours has not is not
  // changed by what they hold.
  std::vector<std::uint32_t> restored;
  // How base and theirs store these columns.
  merge::ChangeColumns changes;

  // The same for who follows names, where they can be followed.
  MergedTable followed() const;
  bool known_by_rowid() const { return key.empty(); }
  // Whether the row is known by its key: a NULL in it is none.
  bool has_key(std::span<const diff::Field> row) const;
  // The numbers by which the row is known: those in its key, or its rowid.
  std::vector<std::int64_t> numbers_of(std::span<const diff::Field> row, std::int64_t rowid) const;
  // By what the row is known: its key's value, or an array of its values, or its rowid.
  std::string key_json(std::span<const diff::Field> row, std::int64_t rowid,
                       diff::TextEncoding encoding) const;
  // An object of some of its columns, or all.
  std::string row_json(std::span<const diff::Field> row, std::span<const std::uint32_t> some,
                       diff::TextEncoding encoding) const;
  std::string row_json(std::span<const diff::Field> row, diff::TextEncoding encoding) const;
  // The row whose key, or rowid, is in the parameters from `first_parameter` on. `prefix` is before the
  // names.
  std::string where_text(std::string_view prefix, bool by_rowid, int first_parameter) const;
};

// Which row is meant.
struct RowAddress {
  // Its values, of which those of the key count; empty: it is known by its rowid.
  std::span<const diff::Field> key_of = {};
  std::int64_t rowid = 0;
};
// REQUIRES: `statement` was compiled with where_text() of the same kind of address. Gives the next parameter.
int bind_address(OwnStatement& statement, const MergedTable& table, const RowAddress& row,
                 diff::TextEncoding encoding, int first_parameter);

}  // namespace dosql::engine
