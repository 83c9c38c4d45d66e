// The values that a JavaScript caller gives for a statement's parameters.
#pragma once

#include <node_api.h>

#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include <dosql/result.h>
#include <dosql/statement.h>
#include <dosql/value.h>

namespace dosql::node {

class Arguments {
 public:
  Arguments() = default;
  // Moved, the names stay where they are.
  Arguments(Arguments&&) = default;
  Arguments& operator=(Arguments&&) = default;
  Arguments(const Arguments&) = delete;
  Arguments& operator=(const Arguments&) = delete;

  // Each argument is a value, an array of values (all in a row are for parameters 1, 2, ...), or an object
  // whose own properties are for the parameters of these names, with or without their prefix. It may run
  // JavaScript (getters), so nothing else of a call may have begun. Where that threw, the exception is
  // pending.
  Status read(napi_env env, std::span<const napi_value> values);

  // Errors: DOSQL_INVALID_ARGUMENT names the parameter that has no value, or not one that SQL knows.
  Status bind(Statement& statement) const;
  void clear();

 private:
  struct Named {
    std::string name;
    Result<Value> value;  // what is wrong with it matters only where a parameter has its name
  };

  Status add_value(napi_env env, napi_value value, napi_valuetype type);
  Status add_array(napi_env env, napi_value array);
  Status add_names(napi_env env, napi_value object);
  Status bind_both(Statement& statement) const;
  const Named* find(std::string_view parameter) const;
  void index_names();

  std::vector<Value> positional_;
  std::vector<Named> named_;
  // Of the first with each name; where there are but a few it is empty.
  std::unordered_map<std::string_view, std::size_t> places_;
};

}  // namespace dosql::node
