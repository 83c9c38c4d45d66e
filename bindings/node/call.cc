#include "bindings/node/call.h"

#include <fmt/format.h>

namespace dosql::node {
namespace {

constexpr std::uint32_t kMostTexts = 65'536;

Error refused(std::string message) { return Error(ErrorCode::kInvalidArgument, std::move(message)); }

}  // namespace

Call::Call(napi_env env, napi_callback_info info) : env_(env) {
  std::size_t count = few_.size();
  void* data = nullptr;
  napi_get_cb_info(env, info, &count, few_.data(), nullptr, &data);
  binding_ = static_cast<const Binding*>(data);
  arguments_ = std::span(few_.data(), std::min(count, few_.size()));
  if (count <= few_.size()) return;
  many_.resize(count);
  napi_get_cb_info(env, info, &count, many_.data(), nullptr, &data);
  arguments_ = many_;
}

bool Call::is_undefined(std::size_t index) const {
  napi_valuetype type = napi_undefined;
  return index >= arguments_.size() || (napi_typeof(env_, arguments_[index], &type), type == napi_undefined);
}

bool Call::truth(std::size_t index) const {
  bool truth = false;
  napi_get_value_bool(env_, argument(index), &truth);
  return truth;
}

Result<std::string> Call::text(std::size_t index, std::string_view what) const {
  if (std::optional<std::string> text = string_of(env_, argument(index))) return *std::move(text);
  return refused(fmt::format("{} must be a string", what));
}

Result<std::vector<std::string>> Call::texts(std::size_t index, std::string_view what) const {
  const Error wrong = refused(fmt::format("{} must be an array of strings", what));
  std::uint32_t length = 0;
  if (napi_get_array_length(env_, argument(index), &length) != napi_ok || length > kMostTexts) return wrong;
  std::vector<std::string> texts;
  for (std::uint32_t place = 0; place < length; ++place) {
    napi_value value = nullptr;
    if (napi_get_element(env_, argument(index), place, &value) != napi_ok) return wrong;
    std::optional<std::string> text = string_of(env_, value);
    if (!text) return wrong;
    texts.push_back(*std::move(text));
  }
  return texts;
}

Result<std::uint64_t> Call::lsn(std::size_t index) const {
  std::uint64_t number = 0;
  bool lossless = false;
  if (napi_get_value_bigint_uint64(env_, argument(index), &number, &lossless) == napi_ok) {
    if (lossless) return number;
  } else if (const auto integer = integer_of(env_, argument(index)); integer && *integer >= 0) {
    return static_cast<std::uint64_t>(*integer);
  }
  return refused("an LSN is a bigint from 0 to 2^64 - 1");
}

Result<std::optional<TimePoint>> Call::point(std::size_t index) const {
  if (is_undefined(index)) return std::optional<TimePoint>();
  DOSQL_ASSIGN_OR_RETURN(const std::string kind, text(index, "the kind of a time point"));
  const auto some = [](TimePoint point) { return std::optional<TimePoint>(std::move(point)); };
  if (kind == "lsn") {
    DOSQL_ASSIGN_OR_RETURN(const std::uint64_t number, lsn(index + 1));
    return some(dosql::lsn(number));
  }
  if (kind == "relative") {
    const auto versions = integer_of(env_, argument(index + 1));
    return versions ? Result(some(dosql::relative(*versions))) : refused("versionOffset is a whole number");
  }
  DOSQL_ASSIGN_OR_RETURN(const std::string value, text(index + 1, "a time point's value"));
  if (kind == "timestamp") return some(dosql::timestamp(value));
  if (kind == "snapshot") return some(dosql::snapshot(value));
  if (kind == "branch") return some(dosql::branch(value));
  if (kind == "text") return some(dosql::time_point(value));
  return refused(fmt::format("'{}' is no kind of time point", kind));
}

napi_value Call::undefined() const {
  napi_value value = nullptr;
  napi_get_undefined(env_, &value);
  return value;
}

napi_value Call::number_value(double number) const {
  napi_value value = nullptr;
  napi_create_double(env_, number, &value);
  return value;
}

napi_value Call::text_value(std::string_view text) const {
  napi_value value = nullptr;
  napi_create_string_utf8(env_, text.data(), text.size(), &value);
  return value;
}

napi_value Call::truth_value(bool truth) const {
  napi_value value = nullptr;
  napi_get_boolean(env_, truth, &value);
  return value;
}

napi_value Call::names_value(const std::vector<std::string>& names) const {
  napi_value array = nullptr;
  napi_create_array_with_length(env_, names.size(), &array);
  for (std::uint32_t index = 0; index < names.size(); ++index) {
    napi_set_element(env_, array, index, text_value(names[index]));
  }
  return array;
}

napi_value Call::fail(const Error& error, std::string_view sql) const {
  bool pending = false;
  napi_is_exception_pending(env_, &pending);
  if (pending) return nullptr;
  if (napi_value value = instance().error_value(error, sql)) napi_throw(env_, value);
  return nullptr;
}

Result<OpenHandle> open_handle(Call& call) {
  Handle* handle = call.instance().handles().find(call.number(0));
  std::shared_ptr<OpenConnection> connection;
  if (handle != nullptr && !handle->closing()) connection = handle->open_connection();
  if (connection == nullptr) return refused("the database is closed");
  return OpenHandle{.handle = handle, .connection = std::move(connection)};
}

napi_value submit(Call& call, std::string sql, std::function<Status(OpenConnection&, Outcome&)> work) {
  auto opened = open_handle(call);
  if (!opened) return call.fail(opened.error(), sql);
  auto bound = [connection = std::move(opened->connection), work = std::move(work)](Outcome& outcome) {
    Status done = connection->check_body();
    if (!done) return done;
    done = work(*connection, outcome);
    if (!done) connection->note_failure(done.error());
    return done;
  };
  return call.number_value(static_cast<double>(
      call.instance().submit(opened->handle->worker(), std::move(sql), std::move(bound))));
}

}  // namespace dosql::node
