// The old versions that statements of one connection read: read-only databases attached to its handle.
//
// A version is attached when a statement first needs it. From kIdleMax attachments on, the one that was used
// longest ago and that nothing reads now is moved to the version that is needed.
//
// Attachments have schema names of their own (dosql_past_0, ...), yet SQLite looks for a name without a
// schema in every database of its handle. So they are hidden from statements that do not ask for them, and an
// authorizer denies one that asks for some versions the others, as it does to what runs on the raw handle.
//
// One thread at a time, as its connection.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <dosql/result.h>

#include "engine/session.h"
#include "engine/sqlite_internals.h"
#include "version/version_store.h"

namespace dosql::engine {

class DatabaseCore;
class MainFile;

class PastDatabases {
 public:
  // How many versions can be read at once.
  static constexpr std::size_t kMax = 100;
  static constexpr std::size_t kIdleMax = 32;
  // Of their schemas' names.
  static constexpr std::string_view kSchemaPrefix = "dosql_past_";
  // Attachments by their number.
  using Set = std::bitset<kMax>;

  // The handle must outlive it, or be closed without another statement.
  PastDatabases(DatabaseCore& core, std::shared_ptr<Session> session);
  ~PastDatabases();
  PastDatabases(const PastDatabases&) = delete;
  PastDatabases& operator=(const PastDatabases&) = delete;

  // An attachment on `point`; gives its number. Never moves one that is in `keep`. `guess` is where it was
  // last time. Errors: kInvalidArgument (kMax others are in use), those of reading the version's schema.
  Result<std::size_t> get(const version::ReadPoint& point, std::size_t guess, const Set& keep);

  // `dosql_past_N`; as an identifier it needs no quotes.
  static std::string schema_name(std::size_t number);
  // Whether what was attached would be taken for an attachment of ours; the error that says so.
  static bool is_our_name(std::string_view schema);
  static Error name_error();
  // The number of the attachment that is called so.
  std::optional<std::size_t> number_of(std::string_view schema) const;
  const version::ReadPoint& point(std::size_t number) const { return slots_[number].point; }

  // Has SQLite read anew those schemas of the handle that are no longer right. Leaves no lock behind, in a
  // transaction neither.
  Status read_schemas();

  // Detaches all that nothing reads. REQUIRES: no statement is running.
  void detach_idle();
  bool empty() const { return attached_ == 0; }

  // While it lives, SQLite knows the databases that the user knows: to compile a statement that does not ask
  // for the past, or to run one. ATTACH and DETACH work as if there were none of ours.
  class Hidden {
   public:
    explicit Hidden(PastDatabases& past);
    ~Hidden();
    // The database that was attached meanwhile, if it has a name of ours: the name of an ATTACH may be an
    // expression. It is detached again.
    bool detach_our_name();
    Hidden(const Hidden&) = delete;
    Hidden& operator=(const Hidden&) = delete;

   private:
    sqlite3* const db_;
    dosql_hidden_databases hidden_{};  // none hidden: all is null
    int attached_max_ = 0;
  };

  // While it lives, statements may be compiled that read `allowed`.
  class Permission {
   public:
    Permission(PastDatabases& past, const Set& allowed) : past_(past), before_(past.allowed_) {
      past_.allowed_ = allowed;
    }
    ~Permission() { past_.allowed_ = before_; }
    Permission(const Permission&) = delete;
    Permission& operator=(const Permission&) = delete;

   private:
    PastDatabases& past_;
    const Set before_;
  };

  // What the newest compilation wanted of an attachment that it may not read (a table's name).
  void forget_denied() { denied_.reset(); }
  const std::optional<std::string>& denied() const { return denied_; }

 private:
  struct Slot {
    MainFile* file = nullptr;  // null: not attached
    version::ReadPoint point;
    std::uint64_t last_use = 0;
  };

  bool there_is_room() const;
  std::size_t use(std::size_t number);
  std::optional<std::size_t> find(const version::ReadPoint& point) const;
  std::optional<std::size_t> free_number() const;
  std::optional<std::size_t> oldest_idle(const Set& keep) const;
  Result<std::size_t> attach(const version::ReadPoint& point);
  Result<std::size_t> move(std::size_t number, const version::ReadPoint& point);
  bool detach(std::size_t number);
  int authorize(int action, const char* first, const char* schema, const char* accessor);
  bool may_read(const char* schema, const char* table, const char* accessor) const;

  DatabaseCore& core_;
  std::shared_ptr<Session> session_;
  std::vector<Slot> slots_;
  std::size_t attached_ = 0;
  std::uint64_t uses_ = 0;
  Set allowed_;
  std::optional<std::string> denied_;
};

}  // namespace dosql::engine
