#include "sqlite3.c"

#include "engine/sqlite_internals.h"

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
