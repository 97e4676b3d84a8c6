// Every row of the table class → policy: a certificate at its level, and a refusal of the next
// weaker evidence.
#include "tests/acme/attest_fixture.h"

namespace agentca::acme::testing {
namespace {

using ca::Degree;

struct Row {
  const char* name;
  ca::AgentClass agent_class;
  const char* profile;
  int level;
  bool approval;
  Seconds lifetime;  // of a session, or of the profile
};

class AttestLevel : public AttestTest, public ::testing::WithParamInterface<Row> {
 protected:
  AttestLevel() {
    ca::Agent agent = fakes::TestAgent();
    agent.components.clear();
    agent.agent_class = GetParam().agent_class;
    agent.profile = GetParam().profile;
    agent.evidence = {{"k8s", {{"sub", "system:planner"}}}, {"lab", {{"device", "d1"}}}};
    Add(agent);
  }
  // Evidence of exactly this level.
  std::string Evidence(int level, const AgentOrder& order) {
    if (level == 1) return BearerResponse();
    if (level == 2) return JwtResponse(Of(order));
    if (level == 3) return JwtResponse(Of(order, &key_), &key_);
    return HardwareResponse(Of(order, &key_), &key_);
  }
  Client client_ = Register();
  fakes::TestSigner key_;
};

TEST_P(AttestLevel, IsEnough) {
  const Row& row = GetParam();
  const AgentOrder order = Order(client_);
  ASSERT_TRUE(Proves(client_, order, Evidence(row.level, order)));
  const auto finalized = Finalize(client_, order.url, fakes::MakeCsr(key_, {kName}));
  if (row.approval) {
    EXPECT_EQ(Text(finalized, "status"), "processing") << finalized.body;
    ASSERT_TRUE(
        store_.DecideApproval(IdOf(order), Decision::kGranted, "alice", "", clock_.Now()).ok());
    ASSERT_TRUE(service_->Decided(IdOf(order)).ok());
  }
  ASSERT_EQ(Text(Get(client_, order.url), "status"), "valid");
  const auto certificate = Issued(order);
  EXPECT_EQ(IdentityOf(certificate).attestation.level, row.level);
  EXPECT_EQ(IdentityOf(certificate).attestation.key_bound, row.level >= 3);
  EXPECT_EQ(certificate.not_after - certificate.not_before + Seconds(1), row.lifetime);
}

TEST_P(AttestLevel, IsNeeded) {
  const Row& row = GetParam();
  if (row.level == 1) return;  // what is weaker is no evidence: AttestChallenge
  const AgentOrder order = Order(client_);
  const std::string error = Fails(client_, order, Evidence(row.level - 1, order));
  EXPECT_EQ(error.find("unauthorized: agent acme/planner"), 0U) << error;
  EXPECT_NE(error.find("needs evidence of level " + std::to_string(row.level) +
                       "; this is of level " + std::to_string(row.level - 1)),
            std::string::npos)
      << error;
  const AgentOrder dropped = Order(client_);
  EXPECT_EQ(Problem(Drop(dropped, Evidence(row.level - 1, dropped))), "403 unauthorized");
}

TEST_P(AttestLevel, HardwareWithoutTheKeyIsNotEnoughWhereOneMustBeBound) {
  const Row& row = GetParam();
  const AgentOrder order = Order(client_);
  const std::string response = HardwareResponse(Of(order));
  if (row.level < 3) {
    EXPECT_TRUE(Proves(client_, order, response));
  } else {
    EXPECT_NE(Fails(client_, order, response).find("bound to the certificate's key"),
              std::string::npos);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Table, AttestLevel,
    ::testing::Values(Row{"Low", {}, "", 1, false, Seconds(3600)},
                      Row{"Medium",
                          {Degree::kLow, Degree::kMedium, Degree::kLow, ca::Lifespan::kSession},
                          "",
                          2,
                          false,
                          Seconds(4 * 3600)},
                      Row{"High",
                          {Degree::kMedium, Degree::kLow, Degree::kHigh, ca::Lifespan::kSession},
                          "",
                          3,
                          false,
                          Seconds(3600)},
                      Row{"SeveralHigh",
                          {Degree::kHigh, Degree::kHigh, Degree::kLow, ca::Lifespan::kSession},
                          "",
                          4,
                          true,
                          Seconds(3600)},
                      Row{"AnnualHsm", {}, "annual-hsm", 4, false, Seconds(365 * 86400)}),
    [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace agentca::acme::testing
