// What the commit of the open transaction is to say besides its pages, as rows of a table: so it is SQLite
// that says when a savepoint takes some of it back.
//
// The table has no rows to read, and nobody else can write to it.
#pragma once

#include <memory>

#include <dosql/result.h>

#include "engine/main_file.h"
#include "engine/session.h"

namespace dosql::engine {

class ConnectionState;

constexpr const char* kMarksTable = "dosql_marks";

// On the session's handle. Returns SQLite's result code.
int register_marks_table(const std::shared_ptr<Session>& session, MainFile& file);

// Undone with the transaction, and with a savepoint inside it. REQUIRES: the transaction writes. Errors:
// kInvalidArgument (more than a commit may have, CommitMarks).
Status add_marks(ConnectionState& connection, const version::CommitMarks& marks);

}  // namespace dosql::engine
