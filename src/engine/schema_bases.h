// From which of several versions in common a merge counts each table, index, view and trigger.
//
// What all of them have the same is counted from any. Of what differs, what they had in common before tells
// which of them changed it since they parted, as of rows (virtual_base.h): from that it is counted. Where
// each changed it, otherwise, it is disputed: a conflict, if the sides differ about it.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <dosql/result.h>

#include "engine/table_shape.h"
#include "version/version_store.h"

namespace dosql::engine {

class ColumnLines;
class ConnectionState;

class SchemaBases {
 public:
  // From what it is counted; kDisputed: that cannot be told.
  static constexpr std::size_t kDisputed = static_cast<std::size_t>(-1);

  // A table by its name in each of the bases; empty: that has it not.
  struct Table {
    std::vector<std::string> names;
    std::size_t base = 0;  // its index, or kDisputed
  };
  // An index, view or trigger: type and folded name.
  using ObjectName = std::pair<std::string, std::string>;

  // REQUIRES: there is more than one. Errors: those of VersionSchemas::of() and of the store.
  static Result<SchemaBases> find(ConnectionState& connection, ColumnLines& lines,
                                  std::vector<version::ReadPoint> bases);

  const std::vector<version::ReadPoint>& points() const { return points_; }
  // REQUIRES: that base has the table.
  const Table& table(std::size_t base, const std::string& name) const;
  // One that no base has is counted from the first.
  std::size_t base_of(std::string_view type, std::string_view name) const;

  bool has_disputed() const;
  // What is disputed is counted from this one instead; what that has not, as what both sides made.
  SchemaBases undisputed(std::size_t base) const;
  // Of what is disputed only that stays so which has one of these names, folded, in a base. A name that none
  // of it has may be due to any of it.
  void keep_disputed(const std::set<std::string>& names);

 private:
  std::vector<version::ReadPoint> points_;
  std::vector<Table> tables_;
  std::vector<std::map<std::string, std::size_t>> places_;  // of a base's tables in tables_, by folded name
  std::map<ObjectName, std::size_t> objects_;
};

}  // namespace dosql::engine
