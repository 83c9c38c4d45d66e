// What a person may have meant: hints for the mistakes that are made most.
#pragma once

#include <dosql/connection.h>

namespace dosql::shell {

// The error, with a hint where it has none and the schema suggests one: a table or column of nearly that
// name.
Error with_advice(Error error, Connection& connection);

// The error of a statement that took the transaction around it along: what was typed before is undone too.
Error with_rollback_hint(Error error);

}  // namespace dosql::shell
