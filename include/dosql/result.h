// Result, Error and Exception: how every DoSQL call reports a failure.
//
// An expected failure travels as a value: `Result<T>` holds either a T or an Error. Nothing in DoSQL
// throws, except `Result::value()`, which a caller asks for by name. Ignoring a Result is a compiler
// warning; say `.ignore("why")` where a failure really does not matter.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace dosql {

// What went wrong, as far as a caller would act differently. The names in error_code_name() are stable
// and listed in docs/errors.md.
enum class ErrorCode : std::uint8_t {
  kSql,              // SQLite refused the statement: syntax, unknown name, type mismatch, ...
  kConstraint,       // UNIQUE, CHECK, NOT NULL, FOREIGN KEY, ... was violated
  kBusy,             // another connection holds the branch's writer slot
  kBusySnapshot,     // a transaction read, the branch moved, then it wanted to write: roll back, retry
  kLocked,           // another process has the database open for writing
  kReadOnly,         // a write to something that is open for reading only
  kIo,               // the operating system reported an I/O failure
  kDiskFull,         // no space left; nothing was changed
  kOutcomeUnknown,   // a sync failed: the commit may or may not survive; reopen to find out
  kPoisoned,         // the store refuses writes after a failed sync until it is reopened
  kCorrupt,          // bytes on disk are not what was written; the message names file and offset
  kNotADatabase,     // the path is something else
  kFormatTooNew,     // written by a newer release
  kNotFound,         // a file, table or other named thing does not exist
  kAlreadyExists,    // ... or exists and must not be replaced
  kVersionNotFound,  // a point in time before the beginning or in the future
  kHistoryExpired,   // a point in time that retention has dropped
  kBranchNotFound,
  kBranchNotMerged,  // it has commits that no other branch contains
  kMergeConflict,    // both sides changed the same, differently: nothing was merged
  kInvalidArgument,  // the caller's mistake: bad option, wrong parameter, wrong order of calls
  kForbidden,        // needs a permission that was not given (for example allow_files)
  kInterrupted,
  kOutOfMemory,
  kInternal,  // a bug in DoSQL
};

// Stable name, for example "DOSQL_BUSY_SNAPSHOT".
std::string_view error_code_name(ErrorCode code);

// One failure: a code to act on, a sentence for a person, and where known the place in the SQL text.
class [[nodiscard]] Error {
 public:
  Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

  ErrorCode code() const { return code_; }
  // A sentence without trailing period, starting in lower case: fits behind "error: ".
  const std::string& message() const { return message_; }
  // What the person could do instead; empty where there is nothing to say.
  const std::string& hint() const { return hint_; }
  // SQLite's extended result code where the failure came from or went through SQLite, else 0.
  int sqlite_code() const { return sqlite_code_; }
  // Byte offset into the SQL text given by the caller.
  std::optional<std::size_t> sql_offset() const { return sql_offset_; }

  Error with_hint(std::string hint) && {
    hint_ = std::move(hint);
    return std::move(*this);
  }
  Error with_sqlite_code(int code) && {
    sqlite_code_ = code;
    return std::move(*this);
  }
  Error with_sql_offset(std::size_t offset) && {
    sql_offset_ = offset;
    return std::move(*this);
  }
  // Puts "context: " before the message.
  Error with_context(std::string_view context) && {
    message_ = std::string(context) + ": " + message_;
    return std::move(*this);
  }

 private:
  ErrorCode code_;
  int sqlite_code_ = 0;
  std::optional<std::size_t> sql_offset_;
  std::string message_;
  std::string hint_;
};

// Thrown by Result::value() and by nothing else. what() is the Error's message.
class Exception : public std::runtime_error {
 public:
  explicit Exception(Error error) : std::runtime_error(error.message()), error_(std::move(error)) {}
  const Error& error() const { return error_; }

 private:
  Error error_;
};

template <class T = void>
class Result;

namespace detail {
template <class R>
struct is_result : std::false_type {};
template <class T>
struct is_result<Result<T>> : std::true_type {};
}  // namespace detail

template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  // Throws Exception when there is none.
  T& value() & {
    throw_if_error();
    return std::get<0>(state_);
  }
  const T& value() const& {
    throw_if_error();
    return std::get<0>(state_);
  }
  // By value, so that `for (auto& row : connection.query(...).value())` does not dangle.
  T value() && {
    throw_if_error();
    return std::get<0>(std::move(state_));
  }

  // REQUIRES: has_value().
  T& operator*() & { return *std::get_if<0>(&state_); }
  const T& operator*() const& { return *std::get_if<0>(&state_); }
  T operator*() && { return std::move(*std::get_if<0>(&state_)); }
  T* operator->() { return std::get_if<0>(&state_); }
  const T* operator->() const { return std::get_if<0>(&state_); }

  // REQUIRES: !has_value().
  Error& error() & { return *std::get_if<1>(&state_); }
  const Error& error() const& { return *std::get_if<1>(&state_); }
  Error&& error() && { return std::move(*std::get_if<1>(&state_)); }

  T value_or(T fallback) && { return has_value() ? std::move(**this) : std::move(fallback); }

  // Calls f(value) when there is one; f returns a Result.
  template <class F>
  auto and_then(F&& f) && -> std::invoke_result_t<F, T&&> {
    if (!has_value()) return std::move(*this).error();
    return std::forward<F>(f)(std::move(**this));
  }
  // Wraps f(value) into a Result.
  template <class F>
  auto transform(F&& f) && -> Result<std::invoke_result_t<F, T&&>>;

  void ignore([[maybe_unused]] std::string_view reason) const {}

 private:
  void throw_if_error() const {
    if (!has_value()) throw Exception(*std::get_if<1>(&state_));
  }

  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;

  Result() = default;
  Result(Error error) : error_(std::move(error)) {}

  bool has_value() const { return !error_.has_value(); }
  explicit operator bool() const { return has_value(); }

  // Throws Exception on failure.
  void value() const {
    if (error_) throw Exception(*error_);
  }

  // REQUIRES: !has_value().
  Error& error() & { return *error_; }
  const Error& error() const& { return *error_; }
  Error&& error() && { return std::move(*error_); }

  template <class F>
  auto and_then(F&& f) && -> std::invoke_result_t<F> {
    if (error_) return std::move(*error_);
    return std::forward<F>(f)();
  }

  void ignore([[maybe_unused]] std::string_view reason) const {}

 private:
  std::optional<Error> error_;
};

template <class T>
template <class F>
auto Result<T>::transform(F&& f) && -> Result<std::invoke_result_t<F, T&&>> {
  if (!has_value()) return std::move(*this).error();
  return std::forward<F>(f)(std::move(**this));
}

// A result whose success carries nothing.
using Status = Result<void>;

// For `.and_then(dosql::ignore_result)`: turns any Result into a Status.
inline constexpr auto ignore_result = [](auto&&...) -> Status { return {}; };

}  // namespace dosql

// Inside functions that return a Result: pass a failure on, or go on with the value.
#define DOSQL_DETAIL_JOIN2(a, b) a##b
#define DOSQL_DETAIL_JOIN(a, b) DOSQL_DETAIL_JOIN2(a, b)
#define DOSQL_RETURN_IF_ERROR(expression)                                                           \
  do {                                                                                              \
    if (auto dosql_status_ = (expression); !dosql_status_) return std::move(dosql_status_).error(); \
  } while (false)
#define DOSQL_ASSIGN_OR_RETURN(declaration, expression) \
  DOSQL_DETAIL_ASSIGN_OR_RETURN(DOSQL_DETAIL_JOIN(dosql_result_, __LINE__), declaration, expression)
#define DOSQL_DETAIL_ASSIGN_OR_RETURN(temporary, declaration, expression) \
  auto temporary = (expression);                                          \
  if (!temporary) return std::move(temporary).error();                    \
  declaration = *std::move(temporary)
