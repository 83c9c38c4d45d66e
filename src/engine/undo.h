// Undoing what a connection did. Nobody can interrupt it, neither Connection::interrupt() nor a progress
// function: a transaction that stayed open would keep the writer slot, and all other writers out.
#pragma once

#include <cstdint>
#include <string>

#include <dosql/result.h>

namespace dosql::engine {

class ConnectionState;

enum class Traced : std::uint8_t { kNo, kYes };

// The whole transaction. None is no error: a failure may have ended it already.
void roll_back(ConnectionState& connection, Traced traced = Traced::kNo);

// Back to the savepoint, and ends it. Errors: kSql (its transaction has ended, and so has it), those of a
// COMMIT when the savepoint began the transaction.
Status undo_savepoint(ConnectionState& connection, const std::string& name, Traced traced = Traced::kNo);

}  // namespace dosql::engine
