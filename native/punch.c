/*
 * fallocate(2) for Node, which has none: punch(descriptor, offset, length) gives the blocks of a piece of a file back and
 * keeps its length; what is read there is zeros. Returns 0, or the errno; ENOSYS where the system has no such call. Plain
 * Node-API, no state: it serves every Node version from one build, in any thread.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <node_api.h>

static int punch_hole(int descriptor, int64_t offset, int64_t length) {
#if defined(FALLOC_FL_PUNCH_HOLE) && defined(FALLOC_FL_KEEP_SIZE)
  while (fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length) != 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
#else
  (void)descriptor;
  (void)offset;
  (void)length;
  return ENOSYS;
#endif
}

static napi_value punch(napi_env env, napi_callback_info info) {
  size_t count = 3;
  napi_value arguments[3];
  napi_value result;
  int32_t descriptor;
  int64_t offset;
  int64_t length;
  if (napi_get_cb_info(env, info, &count, arguments, NULL, NULL) != napi_ok || count != 3 ||
      napi_get_value_int32(env, arguments[0], &descriptor) != napi_ok ||
      napi_get_value_int64(env, arguments[1], &offset) != napi_ok ||
      napi_get_value_int64(env, arguments[2], &length) != napi_ok) {
    napi_throw_type_error(env, "VARVE_INVALID_ARGUMENT",
                          "punch(descriptor, offset, length) takes numbers");
    return NULL;
  }
  int error = punch_hole(descriptor, offset, length);
  return napi_create_int32(env, error, &result) == napi_ok ? result : NULL;
}

NAPI_MODULE_INIT() {
  napi_value function;
  if (napi_create_function(env, "punch", NAPI_AUTO_LENGTH, punch, NULL, &function) != napi_ok ||
      napi_set_named_property(env, exports, "punch", function) != napi_ok) {
    return NULL;
  }
  return exports;
}
