/*
 * madvise(2) for Node, which has none: advise(bytes) asks the system to map the memory of `bytes` by large pages. Random
 * reads of a large memory wait for page tables too, and large pages need few of them. Returns 0, or the errno; ENOSYS
 * where the system has no such advice. Plain Node-API, no state: it serves every Node version from one build, in any
 * thread.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <node_api.h>
#include <stdint.h>
#include <sys/mman.h>

/* Advice is taken for whole pages: those that lie wholly inside. */
#define PAGE_BYTES 65536

static int advise_large(uint8_t *bytes, size_t length) {
#if defined(MADV_HUGEPAGE)
  uintptr_t start = ((uintptr_t)bytes + PAGE_BYTES - 1) & ~(uintptr_t)(PAGE_BYTES - 1);
  uintptr_t end = ((uintptr_t)bytes + length) & ~(uintptr_t)(PAGE_BYTES - 1);
  if (end <= start) return EINVAL;
  return madvise((void *)start, end - start, MADV_HUGEPAGE) == 0 ? 0 : errno;
#else
  (void)bytes;
  (void)length;
  return ENOSYS;
#endif
}

static napi_value advise(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument;
  napi_value result;
  void *bytes;
  size_t length;
  if (napi_get_cb_info(env, info, &count, &argument, NULL, NULL) != napi_ok || count != 1 ||
      napi_get_buffer_info(env, argument, &bytes, &length) != napi_ok) {
    napi_throw_type_error(env, "VARVE_INVALID_ARGUMENT", "advise(bytes) takes a Buffer");
    return NULL;
  }
  int error = advise_large(bytes, length);
  return napi_create_int32(env, error, &result) == napi_ok ? result : NULL;
}

NAPI_MODULE_INIT() {
  napi_value function;
  if (napi_create_function(env, "advise", NAPI_AUTO_LENGTH, advise, NULL, &function) != napi_ok ||
      napi_set_named_property(env, exports, "advise", function) != napi_ok) {
    return NULL;
  }
  return exports;
}
