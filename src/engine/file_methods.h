// MainFile and JournalFile as the sqlite3_file that SQLite's pager calls.
#pragma once

#include <memory>

#include "engine/main_file.h"

struct sqlite3_file;

namespace dosql::engine {

// Bytes that SQLite must allocate for either.
extern const int kOwnFileBytes;

void make_main_file(sqlite3_file* file, std::unique_ptr<MainFile> main);
bool is_main_file(const sqlite3_file* file);
// REQUIRES: is_main_file(database). `database` is closed after `file`.
void make_journal_file(sqlite3_file* file, sqlite3_file* database);

}  // namespace dosql::engine
