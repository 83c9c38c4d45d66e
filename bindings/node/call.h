// One call of JavaScript into the addon.
#pragma once

#include <node_api.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <dosql/result.h>
#include <dosql/time_point.h>

#include "bindings/node/instance.h"
#include "bindings/node/values.h"

namespace dosql::node {

class Call;

struct NamedFunction {
  const char* name;
  napi_value (*function)(Call&);
};

// What a function of the addon's object is bound to.
struct Binding {
  Instance* instance;
  NamedFunction function;
};

// A method of it that returns a napi_value may return null where an exception is pending, as the addon's
// functions do.
class Call {
 public:
  Call(napi_env env, napi_callback_info info);
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  napi_env env() const { return env_; }
  Instance& instance() const { return *binding_->instance; }
  const NamedFunction& function() const { return binding_->function; }

  // Undefined where none was given.
  napi_value argument(std::size_t index) const {
    return index < arguments_.size() ? arguments_[index] : undefined();
  }
  std::span<const napi_value> arguments_from(std::size_t index) const {
    return arguments_.subspan(std::min(index, arguments_.size()));
  }
  bool is_undefined(std::size_t index) const;
  // 0 is the number of nothing.
  std::int64_t number(std::size_t index) const { return integer_of(env_, argument(index)).value_or(0); }
  bool truth(std::size_t index) const;
  // Errors: DOSQL_INVALID_ARGUMENT with `what` it should be.
  Result<std::string> text(std::size_t index, std::string_view what) const;
  // Of an array; it may run JavaScript. Errors: as text(); an exception of JavaScript is pending then.
  Result<std::vector<std::string>> texts(std::size_t index, std::string_view what) const;
  // A bigint, or a number. Errors: DOSQL_INVALID_ARGUMENT.
  Result<std::uint64_t> lsn(std::size_t index) const;
  // From two arguments: which kind, and its value. None: both are undefined. Errors: DOSQL_INVALID_ARGUMENT.
  Result<std::optional<TimePoint>> point(std::size_t index) const;

  napi_value undefined() const;
  napi_value number_value(double number) const;
  napi_value text_value(std::string_view text) const;
  napi_value truth_value(bool truth) const;
  napi_value names_value(const std::vector<std::string>& names) const;

  // Throws, unless an exception is pending already.
  napi_value fail(const Error& error, std::string_view sql = {}) const;

 private:
  napi_env env_;
  const Binding* binding_ = nullptr;
  std::span<const napi_value> arguments_;
  std::array<napi_value, 16> few_;
  std::vector<napi_value> many_;
};

// The functions for the addon's object.
std::span<const NamedFunction> handle_functions();
std::span<const NamedFunction> statement_functions();
std::span<const NamedFunction> version_functions();
std::span<const NamedFunction> merge_functions();
std::span<const NamedFunction> feed_functions();

// An open handle by its number, in the first argument. Errors: DOSQL_INVALID_ARGUMENT, it is closed.
struct OpenHandle {
  Handle* handle;
  std::shared_ptr<OpenConnection> connection;
};
Result<OpenHandle> open_handle(Call& call);

// Has `work(connection, outcome)` done by the handle in the first argument; returns the task's number.
napi_value submit(Call& call, std::string sql, std::function<Status(OpenConnection&, Outcome&)> work);

}  // namespace dosql::node
