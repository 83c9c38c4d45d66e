// The PRAGMAs that mean something else here than in SQLite.
#pragma once

#include "engine/session.h"

namespace dosql::engine {

// Answers SQLITE_FCNTL_PRAGMA for a main file (`argument` as sqlite3.h describes it). SQLITE_NOTFOUND: SQLite
// shall do what it always does. Runs while the PRAGMA is compiled, as SQLite's own do.
int answer_pragma(Session& session, char** argument);

}  // namespace dosql::engine
