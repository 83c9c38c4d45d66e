// What the engine needs of SQLite and its API does not offer: databases taken out of a handle's list and put
// back, how a table's rows are stored, and a user's collations. sqlite_internals.c is compiled with SQLite's
// unmodified amalgamation in front of it.
//
// All functions: on the thread that uses the handle, which has no mutex of its own.
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

struct sqlite3;
struct sqlite3_stmt;
struct sqlite3_value;
struct Db;

// Databases that were taken out.
struct dosql_hidden_databases {
  struct Db* all;  // the handle's list as it was; the hidden ones are its last
  int visible;
  int hidden;
};

// Takes the databases from index `visible` (2 or more) on out of the handle's list: until they are shown
// again, no statement that is compiled finds them, and ATTACH and DETACH may be run. What is compiled already
// must not use them meanwhile, and no transaction on them ends. Returns 0, or SQLITE_NOMEM and nothing was
// done.
int dosql_hide_databases(struct sqlite3* db, int visible, struct dosql_hidden_databases* hidden);
// Puts them back behind those that there are now. Returns 0, or SQLITE_NOMEM and they are still hidden.
int dosql_show_databases(struct sqlite3* db, struct dosql_hidden_databases* hidden);

// How many databases the handle has, main and temp included.
int dosql_database_count(struct sqlite3* db);
// The index of the database in which SQLite finds a table or view that is named without a schema; -1: in
// none.
int dosql_index_of_table(struct sqlite3* db, const char* name);
// Whether the schema of the database `schema` was read, as it is when something that names it was compiled.
int dosql_knows_schema(struct sqlite3* db, const char* schema);
// Whether that schema, as it was read last, has a table or view `name`.
int dosql_has_table(struct sqlite3* db, const char* schema, const char* name);
// Whether SQLite takes `name` for a table although none of that name was created: it is a table-valued
// function.
int dosql_is_table_function(struct sqlite3* db, const char* name);
// Whether temp has a view or a trigger of that name.
int dosql_is_temporary_code(struct sqlite3* db, const char* name);

// Whether SQLite would compile the statement again before it runs it, because of what came or went in temp,
// or an ATTACH or DETACH.
int dosql_is_expired(struct sqlite3_stmt* statement);
// Whether running it begins a write transaction on main.
int dosql_writes_main(struct sqlite3_stmt* statement);

// What SQLite knows of a table's definition. Texts are its own, and stay until it reads the schema again.
enum dosql_table_kind { dosql_rowid_table, dosql_without_rowid, dosql_virtual_table };
struct dosql_table {
  enum dosql_table_kind kind;
  int columns;       // of a virtual table 0 until it was used
  int rowid_column;  // the INTEGER PRIMARY KEY that is the rowid; -1: none is
  int key_columns;   // of the PRIMARY KEY; 0: there is none
  int is_strict;
  int is_autoincrement;
  int is_shadow;  // a virtual table keeps its content in it
};
enum dosql_generated { dosql_not_generated, dosql_generated_virtual, dosql_generated_stored };
struct dosql_column {
  const char* name;
  const char* type;  // as it was declared; empty: it was not
  const char* collation;
  const char* default_text;  // SQL; null: there is none
  char affinity;             // SQLITE_AFF_...: 'A' BLOB, 'B' TEXT, 'C' NUMERIC, 'D' INTEGER, 'E' REAL
  int is_not_null;
  int is_hidden;
  enum dosql_generated generated;
  int place;  // in the record; -1: it is not stored
};
struct dosql_key_column {
  int column;
  const char* collation;
  int is_descending;
};
// Of main. Returns 0 when it has no such table (a view is none). The others REQUIRE that this did not.
int dosql_describe_table(struct sqlite3* db, const char* name, struct dosql_table* table);
void dosql_describe_column(struct sqlite3* db, const char* table, int index, struct dosql_column* column);
void dosql_describe_key(struct sqlite3* db, const char* table, int index, struct dosql_key_column* column);
// The table that the index-th foreign key refers to; null: there are no more.
const char* dosql_parent_of(struct sqlite3* db, const char* table, int index);
// What a record holds that is too short for the column: its DEFAULT with the column's affinity applied. Null:
// NULL. The caller frees it with sqlite3_value_free().
struct sqlite3_value* dosql_default_value(struct sqlite3* db, const char* table, int index);

// A collation that SQLite or the user registered on the handle, for texts in one encoding or another.
struct dosql_collation {
  struct sqlite3* db;
  int encoding;  // SQLITE_UTF8, SQLITE_UTF16LE, SQLITE_UTF16BE: of the texts that are compared
  int own_encoding;
  void* context;
  int (*compare)(void* context, int a_bytes, const void* a, int b_bytes, const void* b);
};
// Returns 0 when there is none of the name.
int dosql_find_collation(struct sqlite3* db, const char* name, int encoding,
                         struct dosql_collation* collation);
// Negative, 0 or positive, of two texts in collation->encoding.
int dosql_collate(const struct dosql_collation* collation, const void* a, int a_bytes, const void* b,
                  int b_bytes);

// What SQLite does when it begins to run a statement and no other is running: an interrupt that came before
// was not for this one.
void dosql_forget_interrupt(struct sqlite3* db);
// The same while statements are in the middle of their rows, which SQLite would go on to interrupt.
void dosql_end_interrupt(struct sqlite3* db);

// Whether the statement is a VACUUM.
int dosql_is_vacuum(struct sqlite3_stmt* statement);
// Whether a VACUUM that runs meanwhile leaves rows their rowids, as VACUUM INTO does. REQUIRES: nothing else
// is compiled until that is taken back.
void dosql_keep_rowids(struct sqlite3* db, int keeps);

// How many rows the transaction has made refer to nothing, where that need not hold before it commits; 0:
// none that COMMIT would refuse.
long long dosql_deferred_violations(struct sqlite3* db);
// To that number, when something that SQLite did not see as such mended or broke some. Undone with the
// transaction, and with a savepoint inside it.
void dosql_add_deferred_violations(struct sqlite3* db, long long count);

#ifdef __cplusplus
}
#endif
