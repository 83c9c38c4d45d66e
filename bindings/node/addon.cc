// dosql.node: the C++ API for packages/dosql, which alone uses it. It converts between JavaScript and C++,
// and brings calls to the threads they are for; what a call means is the engine's business.

#include <deque>
#include <string_view>

#include "bindings/node/call.h"

namespace dosql::node {
namespace {

// Ends with its environment.
struct Addon {
  explicit Addon(napi_env env) : instance(env) {}
  std::deque<Binding> bindings;
  Instance instance;
};

napi_value enter(napi_env env, napi_callback_info info) {
  Call call(env, info);
  const NamedFunction& function = call.function();
  if (!call.instance().is_set_up() && function.name != std::string_view("setUp")) {
    napi_throw_error(env, nullptr, "the addon of DoSQL is used through its package");
    return nullptr;
  }
  return function.function(call);
}

void export_functions(napi_env env, napi_value exports, Addon& addon,
                      std::span<const NamedFunction> functions) {
  for (const NamedFunction& function : functions) {
    Binding& binding =
        addon.bindings.emplace_back(Binding{.instance = &addon.instance, .function = function});
    napi_value value = nullptr;
    napi_create_function(env, function.name, NAPI_AUTO_LENGTH, enter, &binding, &value);
    napi_set_named_property(env, exports, function.name, value);
  }
}

}  // namespace
}  // namespace dosql::node

NAPI_MODULE_INIT() {
  using namespace dosql::node;
  auto* addon = new Addon(env);
  napi_set_instance_data(
      env, addon, [](napi_env, void* data, void*) { delete static_cast<Addon*>(data); }, nullptr);
  export_functions(env, exports, *addon, handle_functions());
  export_functions(env, exports, *addon, statement_functions());
  export_functions(env, exports, *addon, version_functions());
  export_functions(env, exports, *addon, merge_functions());
  export_functions(env, exports, *addon, feed_functions());
  return exports;
}
