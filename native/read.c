/*
 * pread(2) for Node with little around it: read(descriptor, bytes, at, length, offset) reads at `offset` into `length` bytes
 * of `bytes` from `at` on, as far as the file goes. For a block that is in memory, what Node puts around the same call is a
 * third of it. Returns the bytes read, or the negative errno. Plain Node-API, no state: it serves every Node version from
 * one build, in any thread.
 */
#include <errno.h>
#include <node_api.h>
#include <stdint.h>
#include <unistd.h>

static int64_t read_at(int descriptor, uint8_t *target, int64_t length, int64_t offset) {
  int64_t done = 0;
  while (done < length) {
    ssize_t count = pread(descriptor, target + done, (size_t)(length - done), (off_t)(offset + done));
    if (count == 0) break;
    if (count > 0) {
      done += count;
    } else if (errno != EINTR) {
      return -errno;
    }
  }
  return done;
}

static napi_value fail(napi_env env, const char *message) {
  napi_throw_type_error(env, "VARVE_INVALID_ARGUMENT", message);
  return NULL;
}

static napi_value read_bytes(napi_env env, napi_callback_info info) {
  size_t count = 5;
  napi_value arguments[5];
  napi_value result;
  int32_t descriptor;
  void *bytes;
  size_t size;
  int64_t at;
  int64_t length;
  int64_t offset;
  if (napi_get_cb_info(env, info, &count, arguments, NULL, NULL) != napi_ok || count != 5 ||
      napi_get_value_int32(env, arguments[0], &descriptor) != napi_ok ||
      napi_get_buffer_info(env, arguments[1], &bytes, &size) != napi_ok ||
      napi_get_value_int64(env, arguments[2], &at) != napi_ok ||
      napi_get_value_int64(env, arguments[3], &length) != napi_ok ||
      napi_get_value_int64(env, arguments[4], &offset) != napi_ok) {
    return fail(env, "read(descriptor, bytes, at, length, offset) takes a Buffer and numbers");
  }
  if (at < 0 || length < 0 || offset < 0 || (uint64_t)at > size ||
      (uint64_t)length > size - (uint64_t)at) {
    return fail(env, "read(descriptor, bytes, at, length, offset): that lies outside the bytes");
  }
  int64_t done = read_at(descriptor, (uint8_t *)bytes + at, length, offset);
  return napi_create_int64(env, done, &result) == napi_ok ? result : NULL;
}

NAPI_MODULE_INIT() {
  napi_value function;
  if (napi_create_function(env, "read", NAPI_AUTO_LENGTH, read_bytes, NULL, &function) != napi_ok ||
      napi_set_named_property(env, exports, "read", function) != napi_ok) {
    return NULL;
  }
  return exports;
}
