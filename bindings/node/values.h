// JavaScript values as SQLite's.
#pragma once

#include <node_api.h>

#include <cstdint>
#include <optional>
#include <string>

#include <dosql/result.h>
#include <dosql/value.h>

namespace dosql::node {

// number: INTEGER where it is whole and within 2^53, else REAL (NaN: NULL); bigint: INTEGER; string: TEXT;
// boolean: 0 or 1; null: NULL; Date: TEXT as SQLite's date functions write it, UTC with milliseconds;
// ArrayBuffers and views of any kind: BLOB of their bytes. Runs no JavaScript. The error is what is wrong
// with it, and fits behind "parameter 1 ": "is undefined".
Result<Value> value_of(napi_env env, napi_value value);
// The same where its type is known.
Result<Value> value_of(napi_env env, napi_value value, napi_valuetype type);

// None: it is no string.
std::optional<std::string> string_of(napi_env env, napi_value value);
// None: it is no number, or not a whole one within 2^53.
std::optional<std::int64_t> integer_of(napi_env env, napi_value value);

// An object that value_of() would refuse and that is no array: one with named values.
bool has_names(napi_env env, napi_value value);

}  // namespace dosql::node
