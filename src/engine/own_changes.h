// What the open transaction stands on that no version has: its own statements, and what it has merged.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include <dosql/result.h>

namespace dosql::engine {

class ConnectionState;

// As it was when it was looked for.
class OwnChanges {
 public:
  // Looks at the pages that the transaction has written, and to which tables of its version they belong. What
  // a savepoint has undone, that of a DRY RUN too, was written and is as before. Errors: kCorrupt, kIo, kSql.
  static Result<OwnChanges> find(ConnectionState& connection);

  // Whether there are none, of the schema either.
  bool empty() const { return is_empty_; }
  // Whether a row of the table need not be as the version has it. By its name in that; true of a virtual
  // table, and of one that the version has not, where there are any changes.
  bool may_touch(std::string_view table) const;

 private:
  bool is_empty_ = true;
  std::set<std::string> untouched_;  // their names, folded
};

}  // namespace dosql::engine
