// Whether a trigger can run. SQLite looks for most of what its steps name only when it compiles a statement
// that fires it: CREATE TRIGGER and ALTER TABLE say nothing of a column that is not there.
#pragma once

#include <string>

#include <dosql/result.h>

namespace dosql::engine {

class ConnectionState;

// What SQLite says when something fires the trigger of main; empty: nothing, or there is no such trigger.
// Nothing is run. Errors: what SQLite reports besides.
Result<std::string> trigger_problem(ConnectionState& connection, const std::string& name);

// The same as if main had no other trigger. REQUIRES: inside a transaction that writes.
Result<std::string> trigger_problem_alone(ConnectionState& connection, const std::string& name);

}  // namespace dosql::engine
