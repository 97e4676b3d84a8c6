// A second process on a store. Does what its arguments say and writes a line to standard output for
// everything that was acknowledged.
//
//   store_worker URI place ACCOUNT SEED [COUNT]   creates orders, for ever without COUNT
//   store_worker URI open                         opens the store
//   store_worker URI open-as-nobody               the same without the rights of root
//   store_worker URI fill ACCOUNT SEED OCTETS     as place, no file may grow beyond OCTETS
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "storage/open.h"
#include "tests/fakes/acme_objects.h"

namespace agentca {
namespace {

constexpr uid_t kNobody = 65534;

// One write call a line: what was read was acknowledged, whenever this process is killed.
void Say(const std::string& line) {
  const std::string text = line + "\n";
  if (::write(STDOUT_FILENO, text.data(), text.size()) < 0) std::_Exit(3);
}

int Fail(const Error& error) {
  Say("error " + std::to_string(static_cast<int>(error.code)) + " " + error.detail);
  return 1;
}

int Place(acme::Store& store, const std::string& account, uint64_t seed, long count) {
  fakes::AcmeObjects make(seed);
  for (long i = 0; count < 0 || i < count; ++i) {
    const acme::NewOrder order = make.NewOrder(account, "a.example");
    if (const auto placed = store.CreateOrder(order); !placed.ok()) return Fail(placed.error());
    Say(order.order.id);
  }
  return 0;
}

bool LimitFiles(rlim_t octets) {
  const rlimit limit{octets, octets};
  return ::signal(SIGXFSZ, SIG_IGN) != SIG_ERR && ::setrlimit(RLIMIT_FSIZE, &limit) == 0;
}

int Run(const std::vector<std::string>& arguments) {
  const std::string& verb = arguments.at(2);
  if (verb == "open-as-nobody" && ::geteuid() == 0 && ::setuid(kNobody) != 0) return 3;
  auto backend = storage::Open(arguments.at(1), storage::OpenMode::kExisting);
  if (!backend.ok()) return Fail(backend.error());
  if (verb == "open" || verb == "open-as-nobody") return 0;
  if (verb == "fill" && !LimitFiles(std::stoul(arguments.at(5)))) return 3;
  const long count = verb == "place" && arguments.size() > 5 ? std::stol(arguments.at(5)) : -1;
  return Place((*backend)->acme(), arguments.at(3), std::stoul(arguments.at(4)), count);
}

}  // namespace
}  // namespace agentca

int main(int argc, char** argv) {
  return agentca::Run(std::vector<std::string>(argv, argv + argc));
}
