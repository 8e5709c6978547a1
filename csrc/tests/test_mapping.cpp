// Guarded mappings of files that are cut while they are read.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <numeric>
#include <thread>
#include <vector>

#include "check.hpp"
#include "icfast/mapping.hpp"

namespace {

constexpr std::size_t kPages = 64;

/// A file of ones, mapped.
class File {
 public:
  File() : page_(static_cast<std::size_t>(sysconf(_SC_PAGESIZE))) {
    char name[] = "/tmp/icfast-mapping-XXXXXX";
    file_ = mkstemp(name);
    unlink(name);
    const std::vector<std::uint8_t> ones(bytes(), 1);
    if (write(file_, ones.data(), bytes()) != static_cast<ssize_t>(bytes())) std::abort();
    void* got = mmap(nullptr, bytes(), PROT_READ, MAP_SHARED, file_, 0);
    if (got == MAP_FAILED) std::abort();
    data_ = static_cast<const std::uint8_t*>(got);
  }
  ~File() {
    munmap(const_cast<std::uint8_t*>(data_), bytes());
    close(file_);
  }
  std::size_t page() const { return page_; }
  std::size_t bytes() const { return kPages * page_; }
  const std::uint8_t* data() const { return data_; }
  void cut(std::size_t pages) const {
    if (ftruncate(file_, static_cast<off_t>(pages * page_)) != 0) std::abort();
  }
  int sum(std::size_t first, std::size_t last) const {
    return std::accumulate(data_ + first, data_ + last, 0);
  }

 private:
  std::size_t page_;
  int file_ = -1;
  const std::uint8_t* data_ = nullptr;
};

}  // namespace

TEST(a_cut_file_reads_as_zeros_from_the_first_lost_page_on) {
  const File file;
  icfast::Guard* guard = icfast::guard_mapping(file.data(), file.bytes());
  CHECK_EQUAL(static_cast<int>(file.bytes()), file.sum(0, file.bytes()));
  CHECK_EQUAL(std::int64_t{-1}, icfast::lost_from(guard));
  file.cut(10);
  CHECK_EQUAL(static_cast<int>(10 * file.page()), file.sum(0, file.bytes()));
  CHECK_EQUAL(static_cast<std::int64_t>(10 * file.page()), icfast::lost_from(guard));
  icfast::release_mapping(guard);
}

TEST(a_cut_file_that_is_read_backwards_reads_as_zeros) {
  const File file;
  icfast::Guard* guard = icfast::guard_mapping(file.data(), file.bytes());
  file.cut(3);
  for (std::size_t page = kPages; page-- > 3;) CHECK_EQUAL(0, +file.data()[page * file.page()]);
  CHECK_EQUAL(1, +file.data()[2 * file.page()]);
  CHECK_EQUAL(static_cast<std::int64_t>(3 * file.page()), icfast::lost_from(guard));
  icfast::release_mapping(guard);
}

TEST(threads_that_read_a_cut_file_side_by_side_all_go_on) {
  const File file;
  const File other;
  icfast::Guard* guard = icfast::guard_mapping(file.data(), file.bytes());
  icfast::Guard* spared = icfast::guard_mapping(other.data(), other.bytes());
  std::atomic<int> sum{0};
  file.cut(5);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] { sum += file.sum(0, file.bytes()) + other.sum(0, other.bytes()); });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK_EQUAL(4 * static_cast<int>(5 * file.page() + other.bytes()), sum.load());
  CHECK_EQUAL(static_cast<std::int64_t>(5 * file.page()), icfast::lost_from(guard));
  CHECK_EQUAL(std::int64_t{-1}, icfast::lost_from(spared));
  icfast::release_mapping(guard);
  icfast::release_mapping(spared);
}

TEST(a_released_guard_serves_the_next_mapping) {
  const File file;
  icfast::Guard* guard = icfast::guard_mapping(file.data(), file.bytes());
  file.cut(0);
  CHECK_EQUAL(0, file.sum(0, file.bytes()));
  icfast::release_mapping(guard);
  const File next;
  icfast::Guard* again = icfast::guard_mapping(next.data(), next.bytes());
  CHECK_EQUAL(std::int64_t{-1}, icfast::lost_from(again));
  next.cut(1);
  CHECK_EQUAL(static_cast<int>(next.page()), next.sum(0, next.bytes()));
  CHECK_EQUAL(static_cast<std::int64_t>(next.page()), icfast::lost_from(again));
  icfast::release_mapping(again);
}

#if !defined(__SANITIZE_THREAD__)
TEST(a_cut_file_without_a_guard_still_ends_the_process) {
  const File file;
  const File guarded;
  icfast::Guard* guard = icfast::guard_mapping(guarded.data(), guarded.bytes());
  file.cut(0);
  const pid_t child = fork();
  if (child == 0) {
    close(STDERR_FILENO);  // AddressSanitizer reports at length
    _exit(file.sum(0, file.bytes()));
  }
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(!WIFEXITED(status) || WEXITSTATUS(status) != 0);
  icfast::release_mapping(guard);
}
#endif
