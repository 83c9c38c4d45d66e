// What the commit of the open transaction is to do besides its pages, as rows of a table: so it is SQLite
// that says when a savepoint takes some of it back. That is what it says (CommitMarks), and decisions about
// conflicts.
//
// The table has no rows to read, and nobody else can write to it.
#pragma once

#include <memory>

#include <dosql/result.h>

#include "engine/main_file.h"
#include "engine/pending_decisions.h"
#include "engine/session.h"

namespace dosql::engine {

class ConnectionState;

constexpr const char* kMarksTable = "dosql_marks";

// On the session's handle. Returns SQLite's result code.
int register_marks_table(const std::shared_ptr<Session>& session, MainFile& file,
                         std::shared_ptr<PendingDecisions> decisions);

// Undone with the transaction, and with a savepoint inside it. REQUIRES: the transaction writes. Errors:
// kInvalidArgument (more than a commit may have, CommitMarks).
Status add_marks(ConnectionState& connection, const version::CommitMarks& marks);

// From now on the open transaction takes the connection's pending decisions with it: what is added until then
// belongs to nobody. It is one that writes afterwards. Errors: those of waiting for the writer slot.
Status add_decisions(ConnectionState& connection);

}  // namespace dosql::engine
