// A read-only table whose rows C++ computes: the sqlite3_module around a class.
//
// `Rows` is one scan, made per cursor:
//
//   using Context = ...;                       what all scans of a connection share
//   static constexpr const char* kSchema;      CREATE TABLE text that names the columns; or, where each
//                                              module has others, a member `schema` of the context
//   static void plan(sqlite3_index_info&);     xBestIndex; the default of every field stands. It may take the
//                                              context before that, and return a result code
//   explicit Rows(Context&);
//   Status begin(const sqlite3_index_info's idxNum and idxStr, arguments);
//   bool at_end() const;
//   Status next();
//   std::int64_t rowid() const;
//   Status column(sqlite3_context*, int);
//
// The table exists in every schema without being created (eponymous), and only statements that a user wrote
// may read it: a view on it could not be exported.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <dosql/result.h>

#include "engine/session.h"

namespace dosql::engine {

// The base of Rows that are gathered when the scan begins: begin() fills rows().
template <class Row>
class GatheredRows {
 public:
  static void plan(sqlite3_index_info&) {}
  bool at_end() const { return at_ == rows_.size(); }
  Status next() {
    ++at_;
    return {};
  }
  std::int64_t rowid() const { return static_cast<std::int64_t>(at_) + 1; }

 protected:
  std::vector<Row>& rows() { return rows_; }
  const Row& row() const { return rows_[at_]; }
  // Back to the first row.
  void begin_with(std::vector<Row> rows) {
    rows_ = std::move(rows);
    at_ = 0;
  }

 private:
  std::vector<Row> rows_;
  std::size_t at_ = 0;
};

inline void text_result(sqlite3_context* out, std::string_view text) {
  sqlite3_result_text64(out, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
}

inline void number_result(sqlite3_context* out, std::uint64_t number) {
  sqlite3_result_int64(out, static_cast<sqlite3_int64>(number));
}

template <class Rows>
class ComputedTable {
 public:
  using Context = typename Rows::Context;

  // On `session`'s handle; the session gets the failures.
  static int register_on(std::shared_ptr<Session> session, const char* name,
                         std::unique_ptr<Context> context) {
    sqlite3* const db = session->db;
    auto* shared = new Shared{std::move(session), std::move(context)};
    return sqlite3_create_module_v2(db, name, &kModule, shared,
                                    [](void* gone) { delete static_cast<Shared*>(gone); });
  }

 private:
  struct Shared {
    std::shared_ptr<Session> session;
    std::unique_ptr<Context> context;
  };
  struct Table : sqlite3_vtab {
    Shared* shared;
  };
  struct Cursor : sqlite3_vtab_cursor {
    explicit Cursor(Context& context) : sqlite3_vtab_cursor{}, rows(context) {}
    Rows rows;
  };

  static Cursor& of(sqlite3_vtab_cursor* cursor) { return *static_cast<Cursor*>(cursor); }

  static int result(sqlite3_vtab_cursor* cursor, Status status) {
    if (status) return SQLITE_OK;
    auto* table = static_cast<Table*>(cursor->pVtab);
    sqlite3_free(table->zErrMsg);
    table->zErrMsg = sqlite3_mprintf("%s", status.error().message().c_str());
    table->shared->session->failure = std::move(status).error();
    return SQLITE_ERROR;
  }

  static int connect(sqlite3* db, void* shared, int, const char* const*, sqlite3_vtab** out, char**) {
    auto* const own = static_cast<Shared*>(shared);
    if (const int rc = sqlite3_declare_vtab(db, schema_of(*own->context)); rc != SQLITE_OK) return rc;
    sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY);
    auto* table = new Table{};
    table->shared = own;
    *out = table;
    return SQLITE_OK;
  }

  static const char* schema_of(const Context& context) {
    if constexpr (requires { Rows::kSchema; }) {
      return Rows::kSchema;
    } else {
      return context.schema.c_str();
    }
  }

  static int plan(sqlite3_vtab* table, sqlite3_index_info* info) {
    if constexpr (requires(Context & context) { Rows::plan(context, *info); }) {
      return Rows::plan(*static_cast<Table*>(table)->shared->context, *info);
    } else if constexpr (std::is_void_v<decltype(Rows::plan(*info))>) {
      Rows::plan(*info);
      return SQLITE_OK;
    } else {
      return Rows::plan(*info);
    }
  }

  static int disconnect(sqlite3_vtab* table) {
    delete static_cast<Table*>(table);
    return SQLITE_OK;
  }

  static int open(sqlite3_vtab* table, sqlite3_vtab_cursor** out) {
    *out = new Cursor(*static_cast<Table*>(table)->shared->context);
    return SQLITE_OK;
  }

  static int close(sqlite3_vtab_cursor* cursor) {
    delete &of(cursor);
    return SQLITE_OK;
  }

  static int filter(sqlite3_vtab_cursor* cursor, int number, const char* text, int count,
                    sqlite3_value** values) {
    const std::span<sqlite3_value* const> arguments(values, static_cast<std::size_t>(count));
    return result(cursor, of(cursor).rows.begin(number, text ? text : "", arguments));
  }

  static int next(sqlite3_vtab_cursor* cursor) { return result(cursor, of(cursor).rows.next()); }
  static int at_end(sqlite3_vtab_cursor* cursor) { return of(cursor).rows.at_end(); }
  static int column(sqlite3_vtab_cursor* cursor, sqlite3_context* out, int column) {
    return result(cursor, of(cursor).rows.column(out, column));
  }
  static int rowid(sqlite3_vtab_cursor* cursor, sqlite3_int64* out) {
    *out = of(cursor).rows.rowid();
    return SQLITE_OK;
  }

  static sqlite3_module make_module() {
    sqlite3_module module{};
    module.xConnect = connect;  // and no xCreate: eponymous only
    module.xBestIndex = plan;
    module.xDisconnect = disconnect;
    module.xOpen = open;
    module.xClose = close;
    module.xFilter = filter;
    module.xNext = next;
    module.xEof = at_end;
    module.xColumn = column;
    module.xRowid = rowid;
    return module;
  }

  inline static const sqlite3_module kModule = make_module();
};

}  // namespace dosql::engine
