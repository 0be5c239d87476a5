/*
 * flock(2) for Node, which has none: flock(descriptor) takes the exclusive lock without waiting and
 * returns 0, or the errno. Plain Node-API, no state: it serves every Node version from one build,
 * in any thread.
 */
#include <errno.h>
#include <node_api.h>
#include <sys/file.h>

static napi_value lock_exclusive(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument;
  napi_value result;
  int32_t descriptor;
  int32_t error = 0;
  if (napi_get_cb_info(env, info, &count, &argument, NULL, NULL) != napi_ok || count != 1 ||
      napi_get_value_int32(env, argument, &descriptor) != napi_ok) {
    napi_throw_type_error(env, "VARVE_INVALID_ARGUMENT", "flock(descriptor) takes a number");
    return NULL;
  }
  while (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    error = errno;
    break;
  }
  return napi_create_int32(env, error, &result) == napi_ok ? result : NULL;
}

NAPI_MODULE_INIT() {
  napi_value function;
  if (napi_create_function(env, "flock", NAPI_AUTO_LENGTH, lock_exclusive, NULL, &function) !=
          napi_ok ||
      napi_set_named_property(env, exports, "flock", function) != napi_ok) {
    return NULL;
  }
  return exports;
}
