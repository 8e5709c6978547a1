// Arrays that end at a page that can't be accessed: a read past the last element faults, also in
// masked vector instructions, which sanitizers do not see. Writes before the first element are
// found when the array is destroyed, or at once with AddressSanitizer.
#pragma once
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#include "check.hpp"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

namespace icfast::tests {

template <class T>
class Array {
 public:
  explicit Array(std::size_t size = 0, const T& value = T{}) : size_(size) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t held = (bytes() + page - 1) / page * page;
    mapped_ = held + 2 * page;
    void* got = mmap(nullptr, mapped_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (got == MAP_FAILED) std::abort();
    base_ = static_cast<std::uint8_t*>(got);
    front_ = base_ + page;
    if (held != 0 && mprotect(front_, held, PROT_READ | PROT_WRITE) != 0) std::abort();
    data_ = reinterpret_cast<T*>(front_ + held - bytes());
    std::memset(front_, kCanary, held - bytes());
    std::fill(begin(), end(), value);
    ASAN_POISON_MEMORY_REGION(base_, mapped_);
    ASAN_UNPOISON_MEMORY_REGION(data_, bytes());
  }

  Array(const std::vector<T>& values) : Array(values.size()) {
    std::copy(values.begin(), values.end(), begin());
  }

  Array(Array&& other) noexcept { swap(other); }
  Array& operator=(Array&& other) noexcept {
    swap(other);
    return *this;
  }

  ~Array() {
    if (base_ == nullptr) return;
    ASAN_UNPOISON_MEMORY_REGION(base_, mapped_);
    const auto* first = reinterpret_cast<const std::uint8_t*>(data_);
    CHECK(std::all_of<const std::uint8_t*>(front_, first, [](int b) { return b == kCanary; }));
    munmap(base_, mapped_);
  }

  T* data() { return data_; }
  const T* data() const { return data_; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  T& operator[](std::size_t i) { return data_[i]; }
  const T& operator[](std::size_t i) const { return data_[i]; }
  std::size_t size() const { return size_; }
  std::int64_t rows() const { return static_cast<std::int64_t>(size_); }
  std::vector<T> copy() const { return {begin(), end()}; }
  std::vector<T> copy(std::size_t first, std::size_t last) const {
    return {begin() + first, begin() + last};
  }

 private:
  static constexpr int kCanary = 0xa5;

  std::size_t bytes() const { return size_ * sizeof(T); }

  void swap(Array& other) {
    std::swap(base_, other.base_);
    std::swap(front_, other.front_);
    std::swap(mapped_, other.mapped_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }

  std::uint8_t* base_ = nullptr;
  std::uint8_t* front_ = nullptr;  // first byte that can be accessed
  std::size_t mapped_ = 0;
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace icfast::tests
