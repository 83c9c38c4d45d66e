// AUTOINCREMENT from one counter over all branches (decision 034).
//
// SQLite counts an AUTOINCREMENT table in sqlite_sequence, which each branch has its own of. So that a number
// is not given on two branches, a statement is told when it begins how far the others have counted, the
// *floor*, and gives numbers above that (sqlite_running.h):
//
//   A1  The floor is the highest number that any other branch has in its newest visible version, or that an
//       open transaction on another branch has given, or is about to give first.
//   A2  What a transaction has given counts until it is visible, or until it is rolled back: then its branch
//       gives the same numbers again, as SQLite does.
//   A3  Nothing of it is stored: it follows from the branches' newest versions. Of each it is read when it
//       has moved since.
//   A4  It is a help, and not a promise: statements that run at the same time on two branches and insert
//       several rows each may meet, and a merge settles that.
//
// Tables are the same when their names are, in any case of ASCII letters. A counter that has fewer than 2^40
// numbers left (its end is 2^63-1) is no floor: it would use up the numbers of all others.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <dosql/result.h>

#include "base/ids.h"
#include "diff/schema.h"
#include "version/version_store.h"

struct sqlite3;
struct sqlite3_stmt;

namespace dosql::engine {

class MainFile;

// Of one open database. Threads: any.
class AutoincrementCounters {
 public:
  // `store` must outlive it.
  explicit AutoincrementCounters(version::VersionStore& store) : store_(store), reader_(store) {}

  // A write transaction of the file has begun, and with it the statement that `db` is beginning to run.
  void transaction_begins(const MainFile& file, sqlite3* db);
  // In a transaction that has read or written already, a statement is going to be stepped. In one that
  // writes, it was stepped, and gave a row or came to its end.
  void statement_begins(const MainFile& file, sqlite3_stmt* statement);
  void statement_gave(const MainFile& file, sqlite3_stmt* statement);
  // The transaction is over, and a version that it committed is visible.
  void transaction_ended(const MainFile& file);

  // The floor of a table for a file that writes; 0: there is none.
  std::int64_t floor(const MainFile& file, std::string_view table);

 private:
  using Numbers = std::map<std::string, std::int64_t>;  // by the folded name of the table

  // Of sqlite_sequence, as a version's schema says it.
  struct Place {
    PageNo root{};  // 0: there is no such table
    std::uint32_t schema_cookie = 0;
    std::int64_t schema_rowid = 0;
    std::vector<std::byte> schema_record = {};
  };
  struct Branch {
    Numbers numbers;
    std::optional<Place> place;  // none: it is not known
    diff::TextEncoding encoding = diff::TextEncoding::kUtf8;
  };
  struct Transaction {
    BranchId branch{};
    Numbers given;
    Numbers next;  // what the statement that runs gives first
  };

  // There never was another branch: nothing is to be done.
  bool is_alone() const { return store_.name_changes() <= 1; }
  void begin(const MainFile& file, sqlite3_stmt* statement);
  // REQUIRES of what follows: mutex_ is held.
  void take_notice();
  void list_branches();
  void forget(BranchId id, const Branch& branch);
  void replace_numbers(BranchId id, Branch& branch, Numbers numbers);
  Result<Numbers> read(BranchId id, Branch& branch);
  Status find_place(Branch& branch);
  Result<bool> has_same_place(const Branch& branch);
  Result<std::vector<std::byte>> schema_record(std::int64_t rowid);
  std::int64_t floor_of(const std::string& table, BranchId own) const;
  std::int64_t own_number(const std::string& table, const Transaction& own) const;

  version::VersionStore& store_;
  std::mutex mutex_;  // guards what follows
  version::Reader reader_;
  std::uint64_t listed_at_ = 0;  // name_changes()
  std::map<BranchId, Branch> branches_;
  std::set<BranchId> moved_;  // since they were read
  // The same numbers by table, ascending.
  std::map<std::string, std::set<std::pair<std::int64_t, BranchId>>> by_table_;
  std::map<const MainFile*, Transaction> open_;
};

}  // namespace dosql::engine
