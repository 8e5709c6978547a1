#include "cublaslt.hpp"

#include <dlfcn.h>

namespace icfast::cuda::lt {
namespace {

/// Names of the library, newest first.
constexpr const char* kNames[] = {"libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so.11"};

template <class Function>
void bind(void* library, const char* name, Function*& function, std::string& missing) {
  void* symbol = dlsym(library, name);
  if (symbol == nullptr && missing.empty()) missing = name;
  function = reinterpret_cast<Function*>(symbol);
}

/// Looks functions up. Returns the name of a missing one, or an empty string.
std::string bind_all(void* library, Functions& to) {
  std::string missing;
#define ICFAST_BIND(name) bind(library, "cublasLt" #name, to.name, missing)
  ICFAST_BIND(GetVersion);
  ICFAST_BIND(GetStatusString);
  ICFAST_BIND(Create);
  ICFAST_BIND(MatmulDescCreate);
  ICFAST_BIND(MatmulDescDestroy);
  ICFAST_BIND(MatmulDescSetAttribute);
  ICFAST_BIND(MatrixLayoutCreate);
  ICFAST_BIND(MatrixLayoutDestroy);
  ICFAST_BIND(MatmulPreferenceCreate);
  ICFAST_BIND(MatmulPreferenceDestroy);
  ICFAST_BIND(MatmulPreferenceSetAttribute);
  ICFAST_BIND(MatmulAlgoGetHeuristic);
  ICFAST_BIND(MatmulAlgoConfigGetAttribute);
  ICFAST_BIND(Matmul);
#undef ICFAST_BIND
  return missing;
}

}  // namespace

Library open(const std::vector<std::string>& folders) {
  Library found;
  const auto try_path = [&](const std::string& path, int only) {
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | only);
    if (library == nullptr) {
      if (only == 0) found.error += "\n  " + std::string(dlerror());
      return false;
    }
    const std::string missing = bind_all(library, found.functions);
    if (!missing.empty()) {
      found.error += "\n  " + path + ": missing function " + missing;
      dlclose(library);
      return false;
    }
    found.path = path;
    found.error.clear();
    return true;
  };
  for (const char* name : kNames) {
    if (try_path(name, RTLD_NOLOAD)) return found;
  }
  for (const std::string& folder : folders) {
    for (const char* name : kNames) {
      if (try_path(folder + "/" + name, 0)) return found;
    }
  }
  for (const char* name : kNames) {
    if (try_path(name, 0)) return found;
  }
  return found;
}

}  // namespace icfast::cuda::lt
