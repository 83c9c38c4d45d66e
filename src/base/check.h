// CHECK: a condition that only a bug in DoSQL can break. Stays on in release builds.
// Never CHECK bytes that came from disk, the network or a user: those are errors to return.
#pragma once

namespace dosql::detail {
[[noreturn]] void check_failed(const char* condition, const char* file, int line);
}

#define CHECK(condition) \
  ((condition) ? (void)0 : ::dosql::detail::check_failed(#condition, __FILE__, __LINE__))

// DCHECK: a CHECK too costly for release builds.
#ifdef NDEBUG
#define DCHECK(condition) ((void)sizeof(condition))
#else
#define DCHECK(condition) CHECK(condition)
#endif
