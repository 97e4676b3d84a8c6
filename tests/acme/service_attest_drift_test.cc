// Drift: what is noted about an agent that is not what it was.
#include "acme/drift.h"
#include "tests/acme/attest_fixture.h"

namespace agentca::acme::testing {
namespace {

class AttestDrift : public AttestTest {
 protected:
  ca::Certificate Certify(Client& client, fakes::TestSigner& key, int level = 4,
                          const std::string& image = "") {
    clock_.Advance(Seconds(1));  // so that there is an order among certificates
    return AttestTest::Certify(client, key, level, image);
  }
  Client client_ = Register();
};

TEST_F(AttestDrift, IsSilentAboutARenewalWithANewKey) {
  Enrol();
  fakes::TestSigner first, second;
  Certify(client_, first, 4, "v1");
  Certify(client_, second, 4, "v1");
  EXPECT_EQ(Drift(), "");
}

TEST_F(AttestDrift, NotesAnotherImageWithBothDigests) {
  Enrol();
  fakes::TestSigner first, second;
  Certify(client_, first, 4, "v1");
  Certify(client_, second, 4, "v2");
  EXPECT_EQ(Drift(),
            "component image was sha256:" + ToHex(Sha256(AsBytes(std::string_view("v1")))) +
                ", is sha256:" + ToHex(Sha256(AsBytes(std::string_view("v2")))) + "\n");
}

TEST_F(AttestDrift, NotesWeakerEvidenceOfAnotherSource) {
  Enrol();
  fakes::TestSigner first, second;
  Certify(client_, first, 4, "v1");
  const AgentOrder order = Order(client_);
  EXPECT_TRUE(Proves(client_, order, JwtResponse(Of(order))));
  EXPECT_EQ(Text(Finalize(client_, order.url, fakes::MakeCsr(second, {kName})), "status"), "valid");
  EXPECT_EQ(Drift(),
            "format of the evidence was tpm, is jwt; source of the evidence was lab, is k8s; "
            "level was 4, is 2; the key is no longer bound by the evidence; component image is no "
            "longer proven\n");
}

// Clients may keep their key at a renewal: that nothing changed is no drift.
TEST_F(AttestDrift, IsSilentAboutAKeyThatIsUsedAgain) {
  Enrol();
  fakes::TestSigner key;
  Certify(client_, key, 3);
  Certify(client_, key, 3);
  EXPECT_EQ(Drift(), "");
}

TEST_F(AttestDrift, NotesWhatContradictsTheRegistrationAtTheFirstCertificate) {
  ca::Agent agent = fakes::TestAgent();
  agent.agent_class = {};
  agent.evidence = {{"lab", {{"device", "d1"}}}};
  agent.components = {{ca::ComponentKind::kImage, "sha256", Bytes(32, 0xaa), ca::Basis::kDeclared}};
  Add(agent);
  fakes::TestSigner key;
  Certify(client_, key, 4, "v1");
  EXPECT_EQ(Drift(), "component image is registered as sha256:" + ToHex(Bytes(32, 0xaa)) +
                         ", the evidence says sha256:" +
                         ToHex(Sha256(AsBytes(std::string_view("v1")))) + "\n");
}

TEST_F(AttestDrift, ChangesNothingForTheOrder) {
  Enrol();
  fakes::TestSigner first, second;
  Certify(client_, first, 4, "v1");
  registry_faults_.Fail("NoteAgentEvent", fakes::FailWhen::kBefore);
  Certify(client_, second, 4, "v2");
  EXPECT_EQ(Drift(), "");
}

TEST_F(AttestDrift, ADeclaredComponentThatChangesWithTheRegistrationIsNoDrift) {
  Appearance before, after;
  before.identity.components = {
      {ca::ComponentKind::kModel, "sha256", Bytes(32, 1), ca::Basis::kDeclared}};
  after.identity.components = {
      {ca::ComponentKind::kModel, "sha256", Bytes(32, 2), ca::Basis::kDeclared}};
  EXPECT_TRUE(Differences(before, after).empty());
  before.identity.components[0].basis = ca::Basis::kSigned;
  EXPECT_EQ(Differences(before, after).size(), 1U);
  after.identity.components[0].digest = Bytes(32, 1);
  EXPECT_EQ(Differences(before, after),
            std::vector<std::string>{"component model was signed, is declared"});
}

}  // namespace
}  // namespace agentca::acme::testing
