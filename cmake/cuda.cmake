# The optional extension _cuda: loss kernels for NVIDIA devices.
#
# AUTO builds it where it can run: a CUDA compiler and a driver. A compiler alone is common on
# machines that build for others, and those say ON; nobody else waits for it.
if(NOT ICFAST_CUDA MATCHES "^(AUTO|ON|OFF)$")
  message(FATAL_ERROR "ICFAST_CUDA is '${ICFAST_CUDA}'; expected AUTO, ON or OFF")
endif()
if(ICFAST_CUDA STREQUAL "OFF")
  message(STATUS "CUDA part: off (ICFAST_CUDA=OFF)")
  return()
endif()

find_library(ICFAST_CUDA_DRIVER NAMES libcuda.so.1 cuda nvcuda
  PATHS /usr/local/nvidia/lib64 /usr/lib/wsl/lib)
if(ICFAST_CUDA STREQUAL "AUTO" AND NOT ICFAST_CUDA_DRIVER AND NOT EXISTS /proc/driver/nvidia/version)
  message(STATUS "CUDA part: not built, no NVIDIA driver here; ICFAST_CUDA=ON builds it regardless")
  return()
endif()

include(CheckLanguage)
check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
  if(ICFAST_CUDA STREQUAL "ON")
    message(FATAL_ERROR "ICFAST_CUDA=ON, and no CUDA compiler that works: put nvcc on the PATH, or "
      "name it with CMAKE_CUDA_COMPILER or CUDACXX")
  endif()
  message(STATUS "CUDA part: not built, no CUDA compiler that works")
  return()
endif()

# Code for each, and the last one's PTX for devices to come. Nothing is compiled before kernels are
# (no "native"), so what is built does not depend on the machine that builds it.
set(architectures_given "${CMAKE_CUDA_ARCHITECTURES}$ENV{CUDAARCHS}")
enable_language(CUDA)
if(NOT architectures_given)
  set(CMAKE_CUDA_ARCHITECTURES 80-real 86-real 89-real 90-real)
  if(CMAKE_CUDA_COMPILER_VERSION VERSION_GREATER_EQUAL 12.8)
    list(APPEND CMAKE_CUDA_ARCHITECTURES 100-real 120)
  else()
    list(APPEND CMAKE_CUDA_ARCHITECTURES 90-virtual)
  endif()
endif()
if(CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 12.0)
  if(ICFAST_CUDA STREQUAL "ON")
    message(FATAL_ERROR "the CUDA part is C++20, which nvcc has from 12.0 on; found "
      "${CMAKE_CUDA_COMPILER_VERSION}")
  endif()
  message(STATUS "CUDA part: not built, nvcc ${CMAKE_CUDA_COMPILER_VERSION} has no C++20")
  return()
endif()
message(STATUS "CUDA part: nvcc ${CMAKE_CUDA_COMPILER_VERSION}, for ${CMAKE_CUDA_ARCHITECTURES}")

add_library(icfast_cuda STATIC
  csrc/cuda/add_losses.cu
  csrc/cuda/cross_entropy.cu
  csrc/cuda/cublaslt.cpp
  csrc/cuda/linear_cross_entropy.cu
  csrc/cuda/tile_product.cpp)
set_target_properties(icfast_cuda PROPERTIES
  CUDA_STANDARD 20
  CUDA_STANDARD_REQUIRED ON
  CUDA_RUNTIME_LIBRARY Static)  # so that the module imports where CUDA is not
target_include_directories(icfast_cuda PUBLIC csrc/include csrc/cuda)
# Losses must not depend on the compiler's taste for fused multiply-add.
target_compile_options(icfast_cuda PRIVATE
  $<$<COMPILE_LANGUAGE:CUDA>:-O3 -fmad=false -Xcompiler=-Wall,-Wextra,-ffp-contract=off>
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wconversion -Wno-sign-conversion>)

pybind11_add_module(_cuda MODULE csrc/bindings/cuda.cpp)
set_target_properties(_cuda PROPERTIES CUDA_RUNTIME_LIBRARY Static)
target_link_libraries(_cuda PRIVATE icfast_cuda ${CMAKE_DL_LIBS})
target_compile_options(_cuda PRIVATE -Wall -Wextra)
string(JOIN " " architectures ${CMAKE_CUDA_ARCHITECTURES})
target_compile_definitions(_cuda PRIVATE ICFAST_CUDA_ARCHITECTURES="${architectures}")
if(ICFAST_WERROR)
  target_compile_options(icfast_cuda PRIVATE
    $<$<COMPILE_LANGUAGE:CUDA>:-Werror=all-warnings -Xcompiler=-Werror>
    $<$<COMPILE_LANGUAGE:CXX>:-Werror>)
  target_compile_options(_cuda PRIVATE -Werror)
endif()

install(TARGETS _cuda DESTINATION icfast/backends)
