#include "sqlite3.c"

#include "engine/sqlite_internals.h"
#include "engine/sqlite_running.h"

/* The list is an array of the handle's own, or, with main and temp only, one inside of the handle. */

static int make_list(sqlite3* db, int count, Db** list) {
  *list = count <= 2 ? db->aDbStatic : sqlite3DbMallocRawNN(db, sizeof(Db) * (u64)count);
  return *list != 0 ? SQLITE_OK : SQLITE_NOMEM;
}

static void free_list(sqlite3* db, Db* list) {
  if (list != db->aDbStatic) sqlite3DbFree(db, list);
}

int dosql_hide_databases(sqlite3* db, int visible, struct dosql_hidden_databases* hidden) {
  Db* list;
  assert(visible >= 2 && visible < db->nDb && db->aDb != db->aDbStatic);
  if (make_list(db, visible, &list) != SQLITE_OK) return SQLITE_NOMEM;
  memcpy(list, db->aDb, sizeof(Db) * (size_t)visible);
  hidden->all = db->aDb;
  hidden->visible = visible;
  hidden->hidden = db->nDb - visible;
  db->aDb = list;
  db->nDb = visible;
  return SQLITE_OK;
}

int dosql_show_databases(sqlite3* db, struct dosql_hidden_databases* hidden) {
  Db* list = hidden->all;
  const int visible = db->nDb;
  const int all = visible + hidden->hidden;
  if (visible != hidden->visible) {
    /* ATTACH or DETACH: the hidden ones get other indexes, which statements have compiled in. */
    if (make_list(db, all, &list) != SQLITE_OK) return SQLITE_NOMEM;
    memcpy(list + visible, hidden->all + hidden->visible, sizeof(Db) * (size_t)hidden->hidden);
    free_list(db, hidden->all);
    sqlite3ExpirePreparedStatements(db, 0);
  }
  memcpy(list, db->aDb, sizeof(Db) * (size_t)visible);
  free_list(db, db->aDb);
  db->aDb = list;
  db->nDb = all;
  return SQLITE_OK;
}

int dosql_database_count(sqlite3* db) { return db->nDb; }

int dosql_index_of_table(sqlite3* db, const char* name) {
  const Table* table = sqlite3FindTable(db, name, 0);
  return table != 0 ? sqlite3SchemaToIndex(db, table->pSchema) : -1;
}

int dosql_knows_schema(sqlite3* db, const char* schema) {
  const int index = sqlite3FindDbName(db, schema);
  return index >= 0 && DbHasProperty(db, index, DB_SchemaLoaded);
}

int dosql_has_table(sqlite3* db, const char* schema, const char* name) {
  return sqlite3FindTable(db, name, schema) != 0;
}

int dosql_is_table_function(sqlite3* db, const char* name) {
  const Module* module = sqlite3HashFind(&db->aModule, name);
  return module != 0 && module->pEpoTab != 0;
}

int dosql_is_temporary_code(sqlite3* db, const char* name) {
  Schema* temporary = db->aDb[1].pSchema;
  const Table* table = sqlite3HashFind(&temporary->tblHash, name);
  return (table != 0 && IsView(table)) || sqlite3HashFind(&temporary->trigHash, name) != 0;
}

int dosql_is_expired(sqlite3_stmt* statement) { return ((const Vdbe*)statement)->expired; }

int dosql_writes_main(sqlite3_stmt* statement) {
  const Vdbe* program = (const Vdbe*)statement;
  int i;
  if (program->explain || program->readOnly) return 0;
  for (i = 0; i < program->nOp; ++i) {
    const Op* op = &program->aOp[i];
    if (op->opcode == OP_Transaction && op->p1 == 0 && op->p2 != 0) return 1;
  }
  return 0;
}

void dosql_forget_interrupt(sqlite3* db) {
  if (db->nVdbeActive == 0) AtomicStore(&db->u1.isInterrupted, 0);
}

void dosql_end_interrupt(sqlite3* db) { AtomicStore(&db->u1.isInterrupted, 0); }

int dosql_run_uninterrupted(sqlite3* db, const char* sql) {
  int (*const progress)(void*) = db->xProgress;
  int interrupted = 0;
  int rc;
  db->xProgress = 0;
  do {
    /* SQLite itself keeps it while other statements run. */
    if (AtomicLoad(&db->u1.isInterrupted)) {
      interrupted = 1;
      AtomicStore(&db->u1.isInterrupted, 0);
    }
    rc = sqlite3_exec(db, sql, 0, 0, 0);
  } while ((rc & 0xff) == SQLITE_INTERRUPT);
  db->xProgress = progress;
  if (interrupted && db->nVdbeActive > 0) AtomicStore(&db->u1.isInterrupted, 1);
  return rc;
}

void dosql_forget_schemas(sqlite3* db) {
  assert(db->nVdbeActive == 0 && db->nSchemaLock == 0);
  sqlite3ResetAllSchemasOfConnection(db);
  sqlite3ExpirePreparedStatements(db, 0);
}

/* sqlite3_step() marks it so that it is not traced twice. */
int dosql_is_tried_again(sqlite3* db) {
  const Vdbe* program;
  for (program = db->pVdbe; program != 0; program = program->pVNext) {
    const int begins = program->eVdbeState == VDBE_RUN_STATE && program->pc == 0;
    if (begins && program->minWriteFileFormat == 254) return 1;
  }
  return 0;
}

static Table* main_table(sqlite3* db, const char* name) {
  Table* const table = sqlite3FindTable(db, name, "main");
  return table != 0 && !IsView(table) ? table : 0;
}

int dosql_describe_table(sqlite3* db, const char* name, struct dosql_table* out) {
  Table* const table = main_table(db, name);
  const Index* key;
  if (table == 0) return 0;
  key = sqlite3PrimaryKeyIndex(table);
  out->kind = IsVirtual(table) ? dosql_virtual_table : HasRowid(table) ? dosql_rowid_table : dosql_without_rowid;
  out->columns = table->nCol;
  out->rowid_column = IsVirtual(table) ? -1 : table->iPKey;
  out->key_columns = out->rowid_column >= 0 ? 1 : key != 0 ? key->nKeyCol : 0;
  out->is_strict = (table->tabFlags & TF_Strict) != 0;
  out->is_autoincrement = (table->tabFlags & TF_Autoincrement) != 0;
  out->is_shadow = sqlite3ShadowTableName(db, name);
  return 1;
}

static int place_of(Table* table, int index) {
  if (IsVirtual(table) || (table->aCol[index].colFlags & COLFLAG_VIRTUAL) != 0) return -1;
  if (HasRowid(table)) return sqlite3TableColumnToStorage(table, (i16)index);
  return sqlite3TableColumnToIndex(sqlite3PrimaryKeyIndex(table), index);
}

void dosql_describe_column(sqlite3* db, const char* name, int index, struct dosql_column* out) {
  Table* const table = main_table(db, name);
  Column* const column = &table->aCol[index];
  const int flags = column->colFlags;
  const Expr* const value = sqlite3ColumnExpr(table, column);
  const char* const collation = sqlite3ColumnColl(column);
  out->name = column->zCnName;
  out->type = sqlite3ColumnType(column, "");
  out->collation = collation != 0 ? collation : sqlite3StrBINARY;
  out->generated = (flags & COLFLAG_VIRTUAL) != 0  ? dosql_generated_virtual
                   : (flags & COLFLAG_STORED) != 0 ? dosql_generated_stored
                                                   : dosql_not_generated;
  out->default_text = out->generated == dosql_not_generated && value != 0 ? value->u.zToken : 0;
  out->affinity = column->affinity;
  out->is_not_null = column->notNull != 0;
  out->is_hidden = out->generated == dosql_not_generated && (flags & COLFLAG_HIDDEN) != 0;
  out->place = place_of(table, index);
}

void dosql_describe_key(sqlite3* db, const char* name, int index, struct dosql_key_column* out) {
  Table* const table = main_table(db, name);
  const Index* const key = sqlite3PrimaryKeyIndex(table);
  out->column = key != 0 ? key->aiColumn[index] : table->iPKey;
  out->collation = key != 0 ? key->azColl[index] : sqlite3StrBINARY;
  out->is_descending = key != 0 && key->aSortOrder[index] != 0;
}

const char* dosql_parent_of(sqlite3* db, const char* name, int index) {
  const Table* const table = main_table(db, name);
  const FKey* key = IsOrdinaryTable(table) ? table->u.tab.pFKey : 0;
  for (; key != 0 && index > 0; --index) key = key->pNextFrom;
  return key != 0 ? key->zTo : 0;
}

/* As sqlite3ColumnDefault() has it compiled into what reads the column. */
sqlite3_value* dosql_default_value(sqlite3* db, const char* name, int index) {
  Table* const table = main_table(db, name);
  Column* const column = &table->aCol[index];
  sqlite3_value* value = 0;
  if (column->iDflt == 0 || (column->colFlags & COLFLAG_GENERATED) != 0) return 0;
  sqlite3ValueFromExpr(db, sqlite3ColumnExpr(table, column), ENC(db), column->affinity, &value);
  return value;
}

int dosql_find_collation(sqlite3* db, const char* name, int encoding, struct dosql_collation* out) {
  const u8 encodings[] = {(u8)encoding, SQLITE_UTF8, SQLITE_UTF16LE, SQLITE_UTF16BE};
  size_t i;
  for (i = 0; i < sizeof(encodings); ++i) {
    const CollSeq* const found = sqlite3FindCollSeq(db, encodings[i], name, 0);
    if (found == 0 || found->xCmp == 0) continue;
    out->db = db;
    out->encoding = encoding;
    out->own_encoding = found->enc & ~SQLITE_UTF16_ALIGNED;
    out->context = found->pUser;
    out->compare = found->xCmp;
    return 1;
  }
  return 0;
}

static sqlite3_value* text_value(const struct dosql_collation* collation, const void* text, int bytes) {
  sqlite3_value* const value = sqlite3ValueNew(collation->db);
  sqlite3ValueSetStr(value, bytes, text, (u8)collation->encoding, SQLITE_STATIC);
  return value;
}

static const void* own_text(const struct dosql_collation* collation, sqlite3_value* value) {
  const void* const text = sqlite3ValueText(value, (u8)collation->own_encoding);
  return text != 0 ? text : "";
}

int dosql_collate(const struct dosql_collation* collation, const void* a, int a_bytes, const void* b,
                  int b_bytes) {
  sqlite3_value* first;
  sqlite3_value* second;
  int order;
  if (collation->encoding == collation->own_encoding)
    return collation->compare(collation->context, a_bytes, a, b_bytes, b);
  first = text_value(collation, a, a_bytes);
  second = text_value(collation, b, b_bytes);
  a = own_text(collation, first);
  b = own_text(collation, second);
  order = collation->compare(collation->context, sqlite3ValueBytes(first, (u8)collation->own_encoding), a,
                             sqlite3ValueBytes(second, (u8)collation->own_encoding), b);
  sqlite3ValueFree(first);
  sqlite3ValueFree(second);
  return order;
}

long long dosql_deferred_violations(sqlite3* db) { return db->nDeferredCons + db->nDeferredImmCons; }

/* COMMIT looks at both together: one is of constraints that are deferred, the other of those that
   PRAGMA defer_foreign_keys defers. */
void dosql_add_deferred_violations(sqlite3* db, long long count) {
  db->nDeferredCons += count;
  if (db->nDeferredCons < 0) {
    db->nDeferredImmCons += db->nDeferredCons;
    db->nDeferredCons = 0;
  }
  if (db->nDeferredImmCons < 0) db->nDeferredImmCons = 0;
}
