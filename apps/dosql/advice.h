// What a person may have meant: hints for the mistakes that are made most.
#pragma once

#include <dosql/connection.h>

namespace dosql::shell {

// The error, with a hint where it has none and the schema suggests one: a table or column of nearly that
// name.
Error with_advice(Error error, Connection& connection);

}  // namespace dosql::shell
