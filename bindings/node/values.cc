#include "bindings/node/values.h"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <cmath>
#include <cstring>

namespace dosql::node {
namespace {

constexpr double kSafeInteger = 9007199254740991;  // 2^53 - 1

Error unfit(std::string why) { return Error(ErrorCode::kInvalidArgument, std::move(why)); }

Value number(napi_env env, napi_value value) {
  double number = 0;
  napi_get_value_double(env, value, &number);
  if (std::isnan(number)) return {};
  if (std::abs(number) <= kSafeInteger && number == std::trunc(number))
    return static_cast<std::int64_t>(number);
  return number;
}

Result<Value> bigint(napi_env env, napi_value value) {
  std::int64_t number = 0;
  bool lossless = false;
  napi_get_value_bigint_int64(env, value, &number, &lossless);
  if (!lossless) return unfit("is a bigint beyond 64 bits");
  return Value(number);
}

Value boolean(napi_env env, napi_value value) {
  bool truth = false;
  napi_get_value_bool(env, value, &truth);
  return truth;
}

// 'YYYY-MM-DD HH:MM:SS.SSS'
Result<Value> date(napi_env env, napi_value value) {
  double milliseconds = 0;
  napi_get_date_value(env, value, &milliseconds);
  if (std::isnan(milliseconds)) return unfit("is an invalid Date");
  using std::chrono::floor;
  const std::chrono::sys_time<std::chrono::milliseconds> time{
      std::chrono::milliseconds(static_cast<std::int64_t>(milliseconds))};
  const auto day = floor<std::chrono::days>(time);
  const std::chrono::year_month_day ymd(day);
  if (ymd.year() < std::chrono::year(0) || ymd.year() > std::chrono::year(9999))
    return unfit("is a Date outside of the years 0 to 9999");
  const std::chrono::hh_mm_ss clock(time - day);
  return Value(fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:03}", static_cast<int>(ymd.year()),
                           static_cast<unsigned>(ymd.month()), static_cast<unsigned>(ymd.day()),
                           clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                           clock.subseconds().count()));
}

Value blob(const void* data, std::size_t bytes) {
  Blob blob(bytes);
  if (bytes > 0) std::memcpy(blob.data(), data, bytes);
  return Value(std::move(blob));
}

std::size_t element_bytes(napi_typedarray_type type) {
  switch (type) {
    case napi_int16_array:
    case napi_uint16_array: return 2;
    case napi_int32_array:
    case napi_uint32_array:
    case napi_float32_array: return 4;
    case napi_float64_array:
    case napi_bigint64_array:
    case napi_biguint64_array: return 8;
    default: return 1;
  }
}

std::optional<Value> bytes_of(napi_env env, napi_value value) {
  bool is = false;
  void* data = nullptr;
  std::size_t length = 0;
  if (napi_is_typedarray(env, value, &is) == napi_ok && is) {
    napi_typedarray_type type = napi_uint8_array;
    // Kinds that this version of the interface does not know (Float16Array) are refused by it.
    if (napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr) != napi_ok)
      return std::nullopt;
    return blob(data, length * element_bytes(type));
  }
  if (napi_is_arraybuffer(env, value, &is) == napi_ok && is) {
    napi_get_arraybuffer_info(env, value, &data, &length);
    return blob(data, length);
  }
  if (napi_is_dataview(env, value, &is) == napi_ok && is) {
    if (napi_get_dataview_info(env, value, &length, &data, nullptr, nullptr) != napi_ok) return std::nullopt;
    return blob(data, length);
  }
  return std::nullopt;
}

Result<Value> object(napi_env env, napi_value value) {
  bool is = false;
  if (napi_is_date(env, value, &is) == napi_ok && is) return date(env, value);
  if (std::optional<Value> bytes = bytes_of(env, value)) return *std::move(bytes);
  return unfit("is an object: give a string, number, bigint, boolean, null, Date, or bytes");
}

}  // namespace

std::optional<std::string> string_of(napi_env env, napi_value value) {
  std::array<char, 512> text;
  std::size_t bytes = 0;
  if (napi_get_value_string_utf8(env, value, text.data(), text.size(), &bytes) != napi_ok)
    return std::nullopt;
  // What was cut off ends up to three bytes before the end, before a character that did not fit.
  if (bytes < text.size() - 4) return std::string(text.data(), bytes);
  napi_get_value_string_utf8(env, value, nullptr, 0, &bytes);
  std::string whole(bytes, '\0');
  napi_get_value_string_utf8(env, value, whole.data(), bytes + 1, &bytes);
  return whole;
}

std::optional<std::int64_t> integer_of(napi_env env, napi_value value) {
  double number = 0;
  if (napi_get_value_double(env, value, &number) != napi_ok) return std::nullopt;
  if (!(std::abs(number) <= kSafeInteger) || number != std::trunc(number)) return std::nullopt;
  return static_cast<std::int64_t>(number);
}

Result<Value> value_of(napi_env env, napi_value value) {
  napi_valuetype type = napi_undefined;
  napi_typeof(env, value, &type);
  return value_of(env, value, type);
}

Result<Value> value_of(napi_env env, napi_value value, napi_valuetype type) {
  switch (type) {
    case napi_number: return number(env, value);
    case napi_string: return Value(string_of(env, value).value_or(""));
    case napi_null: return Value();
    case napi_boolean: return boolean(env, value);
    case napi_bigint: return bigint(env, value);
    case napi_object: return object(env, value);
    case napi_undefined: return unfit("is undefined: give null for NULL");
    case napi_symbol: return unfit("is a symbol");
    case napi_function: return unfit("is a function");
    case napi_external: break;
  }
  return unfit("is not a value that SQL knows");
}

bool has_names(napi_env env, napi_value value) {
  napi_valuetype type = napi_undefined;
  napi_typeof(env, value, &type);
  if (type != napi_object) return false;
  bool is = false;
  const auto is_other = [&](auto* question) { return question(env, value, &is) == napi_ok && is; };
  return !is_other(napi_is_array) && !is_other(napi_is_date) && !is_other(napi_is_typedarray) &&
         !is_other(napi_is_arraybuffer) && !is_other(napi_is_dataview);
}

}  // namespace dosql::node
