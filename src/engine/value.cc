#include <dosql/value.h>

namespace dosql {

// Not in the header: g++ 12, inlining them, warns of uninitialised members that the variant does not hold.
Value::Value(const Value&) = default;
Value::Value(Value&&) noexcept = default;
Value& Value::operator=(const Value&) = default;
Value& Value::operator=(Value&&) noexcept = default;
Value::~Value() = default;

}  // namespace dosql
