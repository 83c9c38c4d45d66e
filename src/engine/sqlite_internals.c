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

int dosql_has_written(sqlite3* db) { return db->aDb[0].pBt->pBt->pPager->eState >= PAGER_WRITER_CACHEMOD; }

int dosql_has_resized(sqlite3* db) {
  const Pager* const pager = db->aDb[0].pBt->pBt->pPager;
  return pager->dbSize != pager->dbOrigSize;
}

int dosql_next_written_page(sqlite3* db, struct dosql_written_page* page) {
  Pager* const pager = db->aDb[0].pBt->pBt->pPager;
  DbPage* cached;
  do {
    if (++page->number > pager->dbOrigSize) return 0;
  } while (!sqlite3BitvecTest(pager->pInJournal, page->number));
  cached = sqlite3PagerLookup(pager, page->number);
  page->content = cached != 0 ? cached->pData : 0;
  if (cached != 0) sqlite3PagerUnrefNotNull(cached);
  return 1;
}

struct dosql_change_counts dosql_get_change_counts(sqlite3* db) {
  const struct dosql_change_counts counts = {db->nChange, db->nTotalChange};
  return counts;
}

void dosql_set_change_counts(sqlite3* db, struct dosql_change_counts counts) {
  db->nChange = counts.last;
  db->nTotalChange = counts.total;
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

sqlite3_stmt* dosql_caller(sqlite3_context* call) { return (sqlite3_stmt*)call->pVdbe; }

int dosql_has_failed(sqlite3_stmt* statement) { return ((const Vdbe*)statement)->rc != SQLITE_OK; }

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

/* A VACUUM is a short program. */
int dosql_is_vacuum(sqlite3_stmt* statement) {
  const Vdbe* program = (const Vdbe*)statement;
  int i;
  if (program->explain || program->nOp > 16) return 0;
  for (i = 0; i < program->nOp; ++i) {
    if (program->aOp[i].opcode == OP_Vacuum) return 1;
  }
  return 0;
}

/* It asks for this flag when it copies a table without indexes, and for no other reason. */
void dosql_keep_rowids(sqlite3* db, int keeps) {
  if (keeps) {
    db->mDbFlags |= DBFLAG_VacuumInto;
  } else {
    db->mDbFlags &= ~(u32)DBFLAG_VacuumInto;
  }
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

/* sqlite3AutoincrementBegin() has a program begin with these for each table. r is the register of the counter;
   in front of it is that of the table's name, behind it those of its row in sqlite_sequence and of what it was
   (null: there is no row). autoIncrementEnd() writes the counter only if it is more than that.

     -2  OpenRead   0 (root) (database)     6  AddImm   r 0
     -1  String8    (name to) r-1           7  Copy     r r+2
      0  Null       r to r+2                8  Goto     11
      1  Rewind     0, empty: to 10         9  Next     0, to 2
      2  Column     0 0 r                  10  Integer  0 r
      3  Ne         r-1 r, to 9            11  Close    0
      4  Rowid      0 r+1
      5  Column     0 1 r

   From a floor on it counts with

      5  Column     0 1 a                  10  Int64    floor r
      6  Int64      floor b
      7  MemMax     r r+2

   where b is r+2, so that the counter is written when it is above the floor. A row under a number that was
   given with it may be above the counter and not above the floor: where there may be such rows, b is r, and the
   counter is written when it, or the floor, is above what it was. */

enum { kListOps = 12 };

static int is_op(const Op* op, int opcode, int p1, int p2, int p3) {
  return op->opcode == opcode && op->p1 == p1 && op->p2 == p2 && op->p3 == p3;
}

static void set_op(Op* op, int opcode, int p1, int p2, int p3) {
  op->opcode = (u8)opcode;
  op->p1 = p1;
  op->p2 = p2;
  op->p3 = p3;
}

/* With a floor or without one. */
static int has_floor_or_none(const Op* op, int r) {
  const Op* const floor = op + 6;
  if (is_op(op + 5, OP_Column, 0, 1, r) && is_op(op + 6, OP_AddImm, r, 0, 0) &&
      is_op(op + 7, OP_Copy, r, r + 2, 0) && is_op(op + 10, OP_Integer, 0, r, 0))
    return 1;
  return (is_op(op + 5, OP_Column, 0, 1, r) || is_op(op + 5, OP_Column, 0, 1, r + 2)) &&
         is_op(op + 6, OP_Int64, floor->p1, 2 * r + 2 - op[5].p3, floor->p3) &&
         is_op(op + 7, OP_MemMax, r, r + 2, 0) && is_op(op + 10, OP_Int64, floor->p1, r, floor->p3);
}

/* Whether the list of some table begins at that place, behind where it opens sqlite_sequence. */
static int is_list(const Vdbe* program, int place) {
  const Op* const op = program->aOp + place;
  int r;
  if (place + kListOps > program->nOp) return 0;
  r = op->p2;
  if (op[-2].opcode != OP_OpenRead || op[-2].p1 != 0) return 0;
  if ((op[-1].opcode != OP_String8 && op[-1].opcode != OP_String) || op[-1].p2 != r - 1) return 0;
  return is_op(op, OP_Null, 0, r, r + 2) && is_op(op + 1, OP_Rewind, 0, place + 10, 0) &&
         is_op(op + 2, OP_Column, 0, 0, r) && is_op(op + 3, OP_Ne, r - 1, place + 9, r) &&
         op[3].p5 == SQLITE_JUMPIFNULL && is_op(op + 4, OP_Rowid, 0, r + 1, 0) && has_floor_or_none(op, r) &&
         is_op(op + 8, OP_Goto, 0, place + 11, 0) && is_op(op + 9, OP_Next, 0, place + 2, 0) &&
         is_op(op + 11, OP_Close, 0, 0, 0);
}

/* What the lists stand behind. */
static int opens_transactions(const Op* op) {
  return op->opcode == OP_Transaction || op->opcode == OP_VBegin || op->opcode == OP_TableLock;
}

static int first_list(const Vdbe* program) {
  int place = program->aOp[0].p2;
  while (place < program->nOp && opens_transactions(program->aOp + place)) ++place;
  return place + 2;
}

int dosql_next_counter(sqlite3_stmt* statement, struct dosql_counter* counter) {
  const Vdbe* const program = (const Vdbe*)statement;
  int place = counter->place;
#ifndef INT32_TO_64
  return 0; /* OP_Int64 has its number elsewhere */
#endif
  if (program->readOnly || program->explain) return 0;
  place = place == 0 ? first_list(program) : place + kListOps + 2;
  while (is_list(program, place)) {
    const Op* const name = program->aOp + place - 1;
    if (program->aOp[place - 2].p3 == 0) {
      /* The first run makes an OP_String of it, in the encoding of the database. */
      const int is_string8 = name->opcode == OP_String8;
      counter->table = name->p4.z;
      counter->table_bytes = is_string8 ? sqlite3Strlen30(name->p4.z) : name->p1;
      counter->encoding = is_string8 ? SQLITE_UTF8 : ENC(program->db);
      counter->place = place;
      return 1;
    }
    place += kListOps + 2;
  }
  return 0;
}

/* Whether autoIncStep() is told of numbers that OP_NewRowid did not choose. */
static int is_given_numbers(const Op* op, int count, int r) {
  int i;
  for (i = 1; i < count; ++i) {
    const int is_told = op[i].opcode == OP_MemMax && op[i].p1 == r;
    const int is_chosen = op[i - 1].opcode == OP_NewRowid && op[i - 1].p3 == r;
    if (is_told && !is_chosen) return 1;
  }
  return 0;
}

static int may_be_given_numbers(const Vdbe* program, int r) {
  const SubProgram* part;
  /* Behind what begins the program, where the lists are, there is nothing more. */
  if (is_given_numbers(program->aOp, program->aOp[0].p2, r)) return 1;
  for (part = program->pProgram; part != 0; part = part->pNext) {
    if (is_given_numbers(part->aOp, part->nOp, r)) return 1;
  }
  return 0;
}

void dosql_count_from(sqlite3_stmt* statement, const struct dosql_counter* counter, long long floor) {
  const Vdbe* const program = (const Vdbe*)statement;
  Op* const op = program->aOp + counter->place;
  const int r = op->p2;
  const int low = (int)(floor & 0xffffffff);
  const int high = (int)(floor >> 32);
  int found = r;
  if (floor <= 0) {
    set_op(op + 5, OP_Column, 0, 1, r);
    set_op(op + 6, OP_AddImm, r, 0, 0);
    set_op(op + 7, OP_Copy, r, r + 2, 0);
    set_op(op + 10, OP_Integer, 0, r, 0);
    return;
  }
  if (may_be_given_numbers(program, r)) found = r + 2;
  set_op(op + 5, OP_Column, 0, 1, found);
  set_op(op + 6, OP_Int64, low, 2 * r + 2 - found, high);
  set_op(op + 7, OP_MemMax, r, r + 2, 0);
  set_op(op + 10, OP_Int64, low, r, high);
}

/* What registers hold is given back at the end of a run, but not the numbers in them. */
long long dosql_counted_to(sqlite3_stmt* statement, const struct dosql_counter* counter) {
  const Vdbe* const program = (const Vdbe*)statement;
  const Mem* const now = program->aMem + program->aOp[counter->place].p2;
  const Mem* const before = now + 2;
  return (before->flags & MEM_Int) != 0 && before->u.i >= now->u.i ? 0 : now->u.i;
}

/* In a call of sqlite3_step() that was refused the lock before, it goes on from there. */
static int is_at_beginning(const Vdbe* program) {
  return program->pc == 0 || opens_transactions(program->aOp + program->pc);
}

sqlite3_stmt* dosql_counting_statement(sqlite3* db) {
  const Schema* const schema = db->aDb[0].pSchema;
  int running = db->nVdbeActive;
  Vdbe* program;
  if (schema == 0 || schema->pSeqTab == 0) return 0;
  for (program = db->pVdbe; program != 0 && running > 0; program = program->pVNext) {
    struct dosql_counter counter = {0};
    if (program->eVdbeState != VDBE_RUN_STATE) continue;
    --running;
    if (is_at_beginning(program) && dosql_next_counter((sqlite3_stmt*)program, &counter))
      return (sqlite3_stmt*)program;
  }
  return 0;
}

static int is_stale(const Vdbe* program) {
  const Op* op = program->aOp + program->aOp[0].p2;
  if (program->expired) return 1;
  for (; op->opcode == OP_Transaction; ++op) {
    const Schema* const schema = program->db->aDb[op->p1].pSchema;
    if (op->p5 && (schema->schema_cookie != op->p3 || schema->iGeneration != op->p4.i)) return 1;
  }
  return 0;
}

/* A failure comes again when the statement begins, and is reported then. */
void dosql_compile_if_stale(sqlite3_stmt* statement) {
  Vdbe* const program = (Vdbe*)statement;
  const int may_be = program->eVdbeState == VDBE_READY_STATE && !program->readOnly && !program->explain &&
                     (program->prepFlags & SQLITE_PREPARE_SAVESQL) != 0;
  if (may_be && is_stale(program)) sqlite3Reprepare(program);
}
