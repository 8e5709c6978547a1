// The handler of SIGBUS, and the list of guarded mappings that it reads. See mapping.hpp.
//
// The handler may only read atomics and make system calls. Nodes of the list are therefore never
// freed: a released one is used for the next mapping.
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <mutex>
#include <new>

#include "icfast/mapping.hpp"

namespace icfast {

struct Guard {
  std::atomic<std::uintptr_t> begin{0};
  std::atomic<std::uintptr_t> end{0};  // 0: released
  std::atomic<std::int64_t> lost{-1};
  Guard* next = nullptr;
};

namespace {

std::atomic<Guard*> first{nullptr};
std::atomic<std::uintptr_t> page_bytes{4096};
std::mutex changing;  // held by whoever adds, releases or installs; never by the handler
struct sigaction before{};

void note(Guard& guard, std::int64_t offset) {
  std::int64_t known = guard.lost.load();
  while ((known < 0 || offset < known) && !guard.lost.compare_exchange_weak(known, offset)) {
  }
}

/// Puts zeros in the place of the pages from this address on. False if no guard has it.
bool replaced_by_zeros(std::uintptr_t address) {
  for (Guard* guard = first.load(); guard != nullptr; guard = guard->next) {
    const std::uintptr_t begin = guard->begin.load();
    const std::uintptr_t end = guard->end.load();
    if (address < begin || address >= end) continue;
    const std::uintptr_t page = address / page_bytes.load() * page_bytes.load();
    note(*guard, static_cast<std::int64_t>(page - begin));  // before any thread can read zeros
    void* at = reinterpret_cast<void*>(page);
    return mmap(at, end - page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at;
  }
  return false;
}

/// Gives a signal to the handler that was there before. If that one hands it back, ends the
/// process.
void pass_on(int signal, siginfo_t* info, void* context) {
  static std::atomic_flag passing = ATOMIC_FLAG_INIT;
  const bool sent = info->si_code <= 0;  // by kill() or raise(): no instruction failed
  const bool by_default = (before.sa_flags & SA_SIGINFO) == 0 &&
                          (before.sa_handler == SIG_DFL || before.sa_handler == SIG_IGN);
  if (by_default && sent && before.sa_handler == SIG_IGN) return;
  if (by_default || passing.test_and_set()) {
    struct sigaction end{};
    end.sa_handler = SIG_DFL;
    sigaction(signal, &end, nullptr);
    if (sent) raise(signal);
    return;  // the instruction that failed runs again, and now ends the process
  }
  if ((before.sa_flags & SA_SIGINFO) != 0) {
    before.sa_sigaction(signal, info, context);
  } else {
    before.sa_handler(signal);
  }
  passing.clear();
}

void on_bus_error(int signal, siginfo_t* info, void* context) {
  const int kept = errno;
  const bool failed = info->si_code > 0;
  if (!failed || !replaced_by_zeros(reinterpret_cast<std::uintptr_t>(info->si_addr))) {
    pass_on(signal, info, context);
  }
  errno = kept;
}

/// Installs the handler unless it is there: another library may have replaced it since.
bool install() {
  struct sigaction now{};
  if (sigaction(SIGBUS, nullptr, &now) != 0) return false;
  if ((now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == on_bus_error) return true;
  before = now;
  struct sigaction ours{};
  ours.sa_sigaction = on_bus_error;
  ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  sigemptyset(&ours.sa_mask);
  return sigaction(SIGBUS, &ours, nullptr) == 0;
}

/// Returns a released node, or a new one in front of the list.
Guard* unused() {
  for (Guard* guard = first.load(); guard != nullptr; guard = guard->next) {
    if (guard->end.load() == 0) return guard;
  }
  auto* guard = new (std::nothrow) Guard;
  if (guard != nullptr) {
    guard->next = first.load();
    first.store(guard);
  }
  return guard;
}

}  // namespace

Guard* guard_mapping(const void* begin, std::size_t bytes) {
  const std::lock_guard<std::mutex> lock(changing);
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  page_bytes.store(page);
  if (!install()) return nullptr;
  Guard* guard = unused();
  if (guard == nullptr) return nullptr;
  const auto at = reinterpret_cast<std::uintptr_t>(begin);
  guard->lost.store(-1);
  guard->begin.store(at);
  guard->end.store((at + bytes + page - 1) / page * page);
  return guard;
}

std::int64_t lost_from(const Guard* guard) { return guard == nullptr ? -1 : guard->lost.load(); }

void release_mapping(Guard* guard) {
  if (guard == nullptr) return;
  const std::lock_guard<std::mutex> lock(changing);
  guard->end.store(0);
}

}  // namespace icfast
