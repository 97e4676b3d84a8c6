// Connections that end at every request of every verb. Of a COMMIT without an answer nobody knows
// whether it came to pass; the verbs find out.
#include <functional>
#include <set>

#include "tests/fakes/cutting_proxy.h"
#include "tests/storage/postgres_fixture.h"

// libpqxx 6 leaks the result that tells it of a connection's end.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libpqxx-6\n"; }

namespace agentca::storage {
namespace {

using Cut = fakes::CuttingProxy::Cut;
using std::chrono::milliseconds;

// One verb on objects of its own, and whether its effect is there, once.
struct Trial {
  std::function<Status()> run;
  std::function<bool(Backend&)> there;
};
struct VerbCase {
  const char* name;
  std::function<Trial(Flows&, Backend&)> make;
};
void PrintTo(const VerbCase& verb, std::ostream* out) { *out << verb.name; }

template <class T>
Status AsStatus(const Result<T>& result) {
  return result.ok() ? Status() : Status(result.error());
}

ca::Agent NewAgent() { return fakes::SomeAgent("acme", "a" + std::to_string(NewRowId())); }

size_t EventsOf(Backend& at, const ca::Serial& serial) {
  size_t count = 0;
  const auto events = at.certificates().RevocationsSince(0, 1'000'000).value();
  for (const auto& each : events) count += each.serial == serial ? 1U : 0U;
  return count;
}

Trial CreatesAccount(Flows& flows, Backend& node) {
  const acme::Account account = flows.make.NewAccount();
  return {[&node, account]() -> Status {
            AGENTCA_ASSIGN(const auto creation, node.acme().CreateAccount({account}));
            if (creation.created) return {};
            return Error{Code::kInternal, "it says that the account was there"};
          },
          [account](Backend& at) {
            return IsOk(at.acme().FindAccountByThumbprint(account.thumbprint));
          }};
}

Trial ChangesKey(Flows& flows, Backend& node) {
  const acme::Account account = flows.Register(node);
  const acme::Account next = flows.make.NewAccount();
  return {[&node, account, next] {
            return node.acme().ChangeKey(account.id, account.thumbprint, next.key, next.thumbprint);
          },
          [account, next](Backend& at) {
            const auto found = at.acme().FindAccountByThumbprint(next.thumbprint);
            return found.ok() && found->id == account.id;
          }};
}

Trial CreatesOrder(Flows& flows, Backend& node) {
  const acme::NewOrder order = flows.make.NewOrder(flows.Register(node).id, "a.example");
  return {[&node, order] { return AsStatus(node.acme().CreateOrder(order)); },
          [order](Backend& at) { return IsOk(at.acme().FindOrder(order.order.id)); }};
}

Trial BeginsChallenge(Flows& flows, Backend& node) {
  const auto id = flows.Place(node, flows.Register(node).id).authorizations[0].id;
  return {[&flows, &node, id]() -> Status {
            AGENTCA_ASSIGN(const auto begun, node.acme().BeginChallenge(
                                                 id, acme::ChallengeType::kDns01, {}, flows.now()));
            if (begun.started) return {};
            return Error{Code::kInternal, "nobody validates"};
          },
          [id](Backend& at) { return at.acme().FindAuthorization(id)->attempt.has_value(); }};
}

Trial FinishesChallenge(Flows& flows, Backend& node, const Result<acme::Proof>& outcome) {
  const auto id = flows.Place(node, flows.Register(node).id).authorizations[0].id;
  EXPECT_TRUE(
      IsOk(node.acme().BeginChallenge(id, acme::ChallengeType::kDns01, {}, flows.now())));
  return {[&flows, &node, id, outcome] {
            return node.acme().FinishChallenge(id, outcome, flows.now());
          },
          [id, outcome](Backend& at) {
            const auto state = at.acme().FindAuthorization(id)->attempt->state;
            return state == (outcome.ok() ? acme::AttemptState::kValid
                                          : acme::AttemptState::kInvalid);
          }};
}

Trial FinishesAttested(Flows& flows, Backend& node) {
  const ca::Agent agent = node.agents()
                              .AddAgent(NewAgent(),
                                        fakes::ByAlice())
                              .value();
  return FinishesChallenge(flows, node, acme::Proof{{}, flows.make.NewAttestation(agent)});
}

Trial BeginsFinalize(Flows& flows, Backend& node) {
  const auto id = flows.PlaceReady(node, flows.Register(node).id).order.id;
  const auto ticket = std::make_shared<ca::Ticket>(flows.NewTicket(id));
  return {[&flows, &node, id, ticket] {
            return node.acme().BeginFinalize(id, *ticket, {}, flows.now());
          },
          [&flows, id, ticket](Backend& at) {
            return at.acme().FindOrder(id)->order.finalizing &&
                   at.certificates().StatusOf(flows.issuer_id(), ticket->serial()).ok();
          }};
}

Trial CompletesOrder(Flows& flows, Backend& node) {
  const auto id = flows.PlaceReady(node, flows.Register(node).id).order.id;
  ca::Ticket ticket = flows.NewTicket(id);
  EXPECT_TRUE(IsOk(node.acme().BeginFinalize(id, ticket, {}, flows.now())));
  const ca::Certificate certificate = flows.issuer.issuer->Issue(std::move(ticket)).value();
  return {[&flows, &node, id, certificate] {
            return node.acme().CompleteOrder(id, certificate, flows.issuer_id(), {});
          },
          [&flows, id, certificate](Backend& at) {
            const auto record = at.certificates().Find(flows.issuer_id(), certificate.serial);
            return at.acme().FindOrder(id)->order.certificate == certificate.serial &&
                   record.ok() && record->der == certificate.der;
          }};
}

Trial FinishesOrder(Flows& flows, Backend& node) {
  const auto id = flows.PlaceReady(node, flows.Register(node).id).order.id;
  EXPECT_TRUE(IsOk(node.acme().BeginFinalize(id, flows.NewTicket(id), {}, flows.now())));
  const Error error{Code::kUnauthorized, "no \"more\""};
  return {[&node, id, error] { return node.acme().FinishOrder(id, error); },
          [id](Backend& at) { return at.acme().FindOrder(id)->order.error.has_value(); }};
}

Trial RecordsIntent(Flows& flows, Backend& node) {
  const auto ticket = std::make_shared<ca::Ticket>(flows.NewTicket(""));
  return {[&flows, &node, ticket] {
            return node.certificates().RecordIntent(*ticket, flows.now());
          },
          [&flows, ticket](Backend& at) {
            return IsOk(at.certificates().StatusOf(flows.issuer_id(), ticket->serial()));
          }};
}

Trial RecordsCertificate(Flows& flows, Backend& node) {
  const ca::Certificate certificate = flows.Intend(node);
  return {[&flows, &node, certificate] {
            return node.certificates().RecordCertificate(certificate, flows.issuer_id());
          },
          [&flows, certificate](Backend& at) {
            return at.certificates().Find(flows.issuer_id(), certificate.serial)->der ==
                   certificate.der;
          }};
}

Trial Abandons(Flows& flows, Backend& node) {
  const ca::Certificate certificate = flows.Intend(node);
  return {[&flows, &node, certificate] {
            return node.certificates().Abandon(flows.issuer_id(), certificate.serial, flows.now());
          },
          [certificate](Backend& at) { return EventsOf(at, certificate.serial) == 1; }};
}

Trial Revokes(Flows& flows, Backend& node) {
  const ca::Certificate certificate = flows.IssueOne(node);
  return {[&flows, &node, certificate] {
            return node.certificates().Revoke(flows.issuer_id(), certificate.serial,
                                              ca::Reason::kSuperseded, flows.now());
          },
          [certificate](Backend& at) { return EventsOf(at, certificate.serial) == 1; }};
}

Trial RecordsGrant(Flows& flows, Backend& node) {
  const ca::Agent agent = node.agents()
                              .AddAgent(NewAgent(),
                                        fakes::ByAlice())
                              .value();
  const acme::Grant grant = flows.make.NewGrant(agent);
  return {[&node, grant] { return node.acme().RecordGrant(grant); },
          [grant](Backend& at) { return IsOk(at.acme().FindGrant(grant.key_id)); }};
}

size_t HistoryOf(Backend& at, const ca::AgentId& id) {
  return at.agents().AgentHistory(id, 0, 100)->size();
}

Trial AddsAgent(Flows&, Backend& node) {
  const ca::Agent agent = NewAgent();
  return {[&node, agent] { return AsStatus(node.agents().AddAgent(agent, fakes::ByAlice())); },
          [agent](Backend& at) {
            return at.agents().FindAgent(agent.id).ok() && HistoryOf(at, agent.id) == 1;
          }};
}

Trial ChangesAgent(Flows&, Backend& node) {
  ca::Agent agent = node.agents()
                        .AddAgent(NewAgent(), fakes::ByAlice())
                        .value();
  agent.purpose = "another";
  return {[&node, agent] { return AsStatus(node.agents().ChangeAgent(agent, fakes::ByAlice())); },
          [agent](Backend& at) {
            return at.agents().FindAgent(agent.id)->purpose == "another" &&
                   HistoryOf(at, agent.id) == 2;
          }};
}

Trial Suspends(Flows&, Backend& node) {
  const ca::Agent agent = node.agents()
                              .AddAgent(NewAgent(),
                                        fakes::ByAlice())
                              .value();
  return {[&node, agent] {
            return AsStatus(node.agents().SetAgentStatus(agent.id, ca::AgentStatus::kSuspended,
                                                         "why", fakes::ByAlice()));
          },
          [agent](Backend& at) {
            return at.agents().FindAgent(agent.id)->status == ca::AgentStatus::kSuspended &&
                   HistoryOf(at, agent.id) == 2;
          }};
}

Trial RemovesSource(Flows&, Backend& node) {
  const ca::EvidenceSource source = fakes::TokenSource("s" + std::to_string(NewRowId()));
  EXPECT_TRUE(IsOk(node.agents().PutSource(source, fakes::ByAlice())));
  return {[&node, source] { return node.agents().RemoveSource(source.name, fakes::ByAlice()); },
          [source](Backend& at) {
            const auto sources = at.agents().ListSources().value();
            for (const auto& each : sources)
              if (each.name == source.name) return false;
            return true;
          }};
}

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
    {"AddAgent", AddsAgent},
    {"ChangeAgent", ChangesAgent},
    {"SetAgentStatus", Suspends},
    {"RemoveSource", RemovesSource},
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
