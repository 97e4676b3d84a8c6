// Connections that end at every request of every verb. Of a COMMIT without an answer nobody knows
// whether it came to pass; the verbs find out.
#include "tests/fakes/cutting_proxy.h"
#include "tests/storage/trials.h"

// libpqxx 6 leaks the result that tells it of a connection's end.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libpqxx-6\n"; }

namespace agentca::storage {
namespace {

using Cut = fakes::CuttingProxy::Cut;
using std::chrono::milliseconds;

struct VerbCase {
  const char* name;
  std::function<Trial(Flows&, Backend&)> make;
};
void PrintTo(const VerbCase& verb, std::ostream* out) { *out << verb.name; }

const VerbCase kVerbs[] = {
    {"CreateAccount", CreatesAccount},
    {"ChangeKey", ChangesKey},
    {"CreateOrder", CreatesOrder},
    {"BeginChallenge", BeginsChallenge},
    {"FinishChallenge",
     [](Flows& f, Backend& b) { return FinishesChallenge(f, b, acme::Proof{}); }},
    {"FinishChallengeWithError",
     [](Flows& f, Backend& b) { return FinishesChallenge(f, b, Error{Code::kDns, "no"}); }},
    {"FinishChallengeWithEvidence", FinishesAttested},
    {"BeginFinalize", BeginsFinalize},
    {"CompleteOrder", CompletesOrder},
    {"FinishOrder", FinishesOrder},
    {"RecordIntent", RecordsIntent},
    {"RecordCertificate", RecordsCertificate},
    {"Abandon", Abandons},
    {"Revoke", Revokes},
    {"RecordGrant", RecordsGrant},
    {"RecordDrop", RecordsDrop},
    {"AskApproval", AsksApproval},
    {"DecideApproval", DecidesApproval},
    {"BeginApproved", BeginsApproved},
    {"AddAgent", AddsAgent},
    {"ChangeAgent", ChangesAgent},
    {"SetAgentStatus", Suspends},
    {"NoteAgentEvent", NotesEvent},
    {"RemoveSource", RemovesSource},
    {"RemoveRule", RemovesRule},
};

class PostgresCommit : public Postgres, public testing::WithParamInterface<VerbCase> {
 protected:
  void SetUp() override {
    Postgres::SetUp();
    if (IsSkipped()) return;
    const size_t begin = uri_.find("127.0.0.1:") + 10;
    const size_t end = uri_.find_first_of(",/", begin);
    proxy_ = std::make_unique<fakes::CuttingProxy>(
        static_cast<uint16_t>(std::stoi(uri_.substr(begin, end - begin))));
    direct_ = std::move(node_);
    uri_.replace(begin, end - begin, std::to_string(proxy_->port()));
  }
  std::unique_ptr<fakes::CuttingProxy> proxy_;
  std::unique_ptr<Backend> direct_;  // not through the proxy
};

// The request at which a verb is not cut any more is how many it has, and one.
TEST_P(PostgresCommit, AVerbSucceedsOnceWhereverItsConnectionEnds) {
  node_ = OpenNode();
  for (const Cut how : {Cut::kBefore, Cut::kSent, Cut::kAnswered}) {
    for (int request = 1;; ++request) {
      ASSERT_LT(request, 100);
      SCOPED_TRACE(std::to_string(request) + " " + std::to_string(static_cast<int>(how)));
      const Trial trial = GetParam().make(flows_, *node_);
      proxy_->Arm(request, how);
      const Status ended = trial.run();
      const bool cut = proxy_->Restore();
      EXPECT_TRUE(IsOk(ended));
      EXPECT_TRUE(trial.there(*direct_));
      if (!cut) break;
    }
  }
}

// Where nobody can find out, the answer is kUnavailable, and what comes later finds one state.
TEST_P(PostgresCommit, AVerbIsUnavailableWhenNothingCanBeAsked) {
  PostgresOptions options;
  options.patience = milliseconds(300);
  node_ = OpenNode(options);
  const auto healthy = [&] { return node_->acme().CheckHealth().ok(); };
  EXPECT_TRUE(IsOk(GetParam().make(flows_, *node_).run()));  // prepares every statement
  const Trial whole = GetParam().make(flows_, *node_);
  const int before = proxy_->requests();
  EXPECT_TRUE(IsOk(whole.run()));
  const int commit = proxy_->requests() - before;
  RecordProperty("round_trips", commit);
  for (const Cut how : {Cut::kBefore, Cut::kSent, Cut::kAnswered}) {
    SCOPED_TRACE(static_cast<int>(how));
    EXPECT_TRUE(IsOk(GetParam().make(flows_, *node_).run()));
    const Trial trial = GetParam().make(flows_, *node_);
    proxy_->Arm(commit, how, true);
    const Status ended = trial.run();
    EXPECT_TRUE(proxy_->Restore());
    EXPECT_TRUE(FailsWith(Code::kUnavailable, ended));
    EXPECT_TRUE(fakes::Eventually(healthy));
    (void)trial.run();  // refused when its effect was there
    EXPECT_TRUE(trial.there(*direct_));
  }
}

INSTANTIATE_TEST_SUITE_P(Verbs, PostgresCommit, testing::ValuesIn(kVerbs),
                         [](const auto& verb) { return std::string(verb.param.name); });

}  // namespace
}  // namespace agentca::storage
