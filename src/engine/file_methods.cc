#include "engine/file_methods.h"

#include <sqlite3.h>

#include "engine/pragma.h"

namespace dosql::engine {
namespace {

// Of both kinds of files; a journal's `main` is its database's.
struct Handle {
  sqlite3_file base;
  MainFile* main;
};

MainFile& main_of(sqlite3_file* file) { return *reinterpret_cast<Handle*>(file)->main; }
JournalFile& journal_of(sqlite3_file* file) { return main_of(file).journal(); }

MutableBytes out_bytes(void* out, int count) {
  return {static_cast<std::byte*>(out), static_cast<std::size_t>(count)};
}
Bytes in_bytes(const void* in, int count) {
  return {static_cast<const std::byte*>(in), static_cast<std::size_t>(count)};
}

// Together they spare the pager all syncs and rewrites of its journal (pager.c, syncJournal), keep the
// journal open between transactions, and let overflow pages be read in part.
int characteristics(sqlite3_file*) {
  return SQLITE_IOCAP_POWERSAFE_OVERWRITE | SQLITE_IOCAP_SAFE_APPEND | SQLITE_IOCAP_SEQUENTIAL |
         SQLITE_IOCAP_UNDELETABLE_WHEN_OPEN | SQLITE_IOCAP_SUBPAGE_READ;
}

int sector_bytes(sqlite3_file*) { return 512; }

int nothing_to_sync(sqlite3_file*, int) { return SQLITE_OK; }

// "Somebody may be writing", which is how the pager concludes that a journal it finds is not left over from a
// crash: ours never are.
int reserved_by_someone(sqlite3_file*, int* result) {
  *result = 1;
  return SQLITE_OK;
}

int control_main(sqlite3_file* file, int op, void* argument) {
  switch (op) {
    case SQLITE_FCNTL_COMMIT_PHASETWO: return main_of(file).commit();
    case SQLITE_FCNTL_PRAGMA: return answer_pragma(main_of(file).session(), static_cast<char**>(argument));
    default: return SQLITE_NOTFOUND;
  }
}

int lock_nothing(sqlite3_file*, int) { return SQLITE_OK; }

// What the two kinds share. No shared memory and no mapped pages: version 1.
sqlite3_io_methods common_methods() {
  sqlite3_io_methods methods{};
  methods.iVersion = 1;
  methods.xSync = nothing_to_sync;
  methods.xCheckReservedLock = reserved_by_someone;
  methods.xSectorSize = sector_bytes;
  methods.xDeviceCharacteristics = characteristics;
  return methods;
}

sqlite3_io_methods main_methods() {
  sqlite3_io_methods methods = common_methods();
  methods.xClose = [](sqlite3_file* file) {
    delete reinterpret_cast<Handle*>(file)->main;
    file->pMethods = nullptr;
    return SQLITE_OK;
  };
  methods.xRead = [](sqlite3_file* file, void* out, int count, sqlite3_int64 offset) {
    return main_of(file).read(offset, out_bytes(out, count));
  };
  methods.xWrite = [](sqlite3_file* file, const void* in, int count, sqlite3_int64 offset) {
    return main_of(file).write(offset, in_bytes(in, count));
  };
  methods.xTruncate = [](sqlite3_file* file, sqlite3_int64 bytes) { return main_of(file).truncate(bytes); };
  methods.xFileSize = [](sqlite3_file* file, sqlite3_int64* bytes) {
    *bytes = main_of(file).size();
    return SQLITE_OK;
  };
  methods.xLock = [](sqlite3_file* file, int level) { return main_of(file).lock(level); };
  methods.xUnlock = [](sqlite3_file* file, int level) {
    main_of(file).unlock(level);
    return SQLITE_OK;
  };
  methods.xFileControl = control_main;
  return methods;
}

sqlite3_io_methods journal_methods() {
  sqlite3_io_methods methods = common_methods();
  methods.xClose = [](sqlite3_file* file) {
    journal_of(file).clear();
    file->pMethods = nullptr;
    return SQLITE_OK;
  };
  methods.xRead = [](sqlite3_file* file, void* out, int count, sqlite3_int64 offset) {
    return journal_of(file).read(offset, out_bytes(out, count));
  };
  methods.xWrite = [](sqlite3_file* file, const void* in, int count, sqlite3_int64 offset) {
    return journal_of(file).write(offset, in_bytes(in, count));
  };
  methods.xTruncate = [](sqlite3_file* file, sqlite3_int64 bytes) {
    return journal_of(file).truncate(bytes);
  };
  methods.xFileSize = [](sqlite3_file* file, sqlite3_int64* bytes) {
    *bytes = journal_of(file).size();
    return SQLITE_OK;
  };
  methods.xLock = lock_nothing;
  methods.xUnlock = lock_nothing;
  methods.xFileControl = [](sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; };
  return methods;
}

const sqlite3_io_methods kMainMethods = main_methods();
const sqlite3_io_methods kJournalMethods = journal_methods();

}  // namespace

const int kOwnFileBytes = sizeof(Handle);

void make_main_file(sqlite3_file* file, std::unique_ptr<MainFile> main) {
  auto* handle = reinterpret_cast<Handle*>(file);
  handle->main = main.release();
  handle->base.pMethods = &kMainMethods;
}

bool is_main_file(const sqlite3_file* file) { return file->pMethods == &kMainMethods; }

void make_journal_file(sqlite3_file* file, sqlite3_file* database) {
  auto* handle = reinterpret_cast<Handle*>(file);
  handle->main = &main_of(database);
  handle->base.pMethods = &kJournalMethods;
}

}  // namespace dosql::engine
